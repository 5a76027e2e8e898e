"""A page behind TLS that answers every GET with 200 and `fine`.

usage: secure_page.py CERTIFICATE KEY

Writes `port N` when it listens. It ends when stdin does.
"""
import http.server
import ssl
import sys
import threading


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '4')
        self.end_headers()
        self.wfile.write(b'fine')

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that does not trust us hangs up: that is what some tests are about."""


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = Server(('127.0.0.1', 0), Page)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print('port', server.server_port, flush=True)
sys.stdin.read()
