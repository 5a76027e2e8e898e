"""A mail server that keeps each mail as a file and misbehaves on order.

usage: mail_server.py FOLDER [--auth USER:PASSWORD] [--clear-auth] [--certificate CERT KEY] [--implicit] [--require-tls]

Writes `port N` when it listens. Takes orders on stdin, one a line, and answers `done` to each:
    ok            behave
    refuse        stop listening; `listen` again on the same port
    hang          accept, and say nothing
    banner TEXT   say TEXT for a banner and close
    mail TEXT     answer TEXT to MAIL; likewise rcpt, data
    cut           close in the middle of DATA
    goodbye N     answer to QUIT after N seconds, whatever else is ordered
    count         answers `done N`: connections so far
    mails         answers `done N`: mails taken so far
It ends when stdin does.
"""
import argparse
import asyncio
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument('folder')
parser.add_argument('--auth')
parser.add_argument('--clear-auth', action='store_true')
parser.add_argument('--certificate', nargs=2)
parser.add_argument('--implicit', action='store_true')
parser.add_argument('--require-tls', action='store_true')
options = parser.parse_args()

context = None
if options.certificate:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*options.certificate)


class Orders:
    word = 'ok'
    text = ''
    connections = 0
    mails = 0
    goodbye = 0.0


class Keeper:
    """Takes mails, except as ordered."""

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if Orders.word == 'mail':
            return Orders.text
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return '250 OK'

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if Orders.word == 'rcpt' and (' for ' not in Orders.text or Orders.text.endswith(' for ' + address)):
            return Orders.text
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        if Orders.word == 'data':
            return Orders.text
        Orders.mails += 1
        name = os.path.join(options.folder, '%06d' % Orders.mails)
        user = getattr(session, 'user', '')
        with open(name, 'wb') as f:
            f.write(('from: %s\nto: %s\nauth: %s\ntls: %s\n\n' % (
                envelope.mail_from, ', '.join(envelope.rcpt_tos), user,
                'yes' if session.ssl or options.implicit else 'no')).encode())
            f.write(envelope.original_content)
        os.rename(name, name + '.mail')
        return '250 OK queued as %d' % Orders.mails


def authenticate(server, session, envelope, mechanism, data):
    given = b'%s:%s' % (data.login, data.password)
    if given != options.auth.encode():
        return AuthResult(success=False, handled=False)
    session.user = '%s %s' % (mechanism, data.login.decode())
    return AuthResult(success=True)


class Server(SMTP):
    async def smtp_DATA(self, arg):
        if Orders.word != 'cut':
            return await super().smtp_DATA(arg)
        await self.push('354 go on')
        await self._reader.readline()
        self.transport.abort()


    async def smtp_QUIT(self, arg):
        await asyncio.sleep(Orders.goodbye)
        return await super().smtp_QUIT(arg)


class Silent(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport  # keeps it alive


class Curt(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(Orders.text.encode() + b'\r\n')
        transport.close()


def connection():
    Orders.connections += 1
    if Orders.word == 'hang':
        return Silent()
    if Orders.word == 'banner':
        return Curt()
    return Server(Keeper(), hostname='mail.example.com', enable_SMTPUTF8=True,
                  tls_context=None if options.implicit else context, require_starttls=options.require_tls,
                  authenticator=authenticate if options.auth else None, auth_required=bool(options.auth),
                  auth_require_tls=not (options.clear_auth or options.implicit))


async def main():
    loop = asyncio.get_running_loop()

    async def listen(port):
        return await loop.create_server(connection, '127.0.0.1', port,
                                        ssl=context if options.implicit else None)

    server = await listen(0)
    port = server.sockets[0].getsockname()[1]
    print('port', port, flush=True)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := (await orders.readline()).decode().strip():
        word, _, text = line.partition(' ')
        answer = 'done'
        if word == 'count':
            answer = 'done %d' % Orders.connections
        elif word == 'mails':
            answer = 'done %d' % Orders.mails
        elif word == 'goodbye':
            Orders.goodbye = float(text)
        elif word == 'refuse':
            server.close()
        elif word == 'listen':
            server = await listen(port)
            Orders.word = 'ok'
        else:
            Orders.word, Orders.text = word, text
        print(answer, flush=True)


asyncio.run(main())
os._exit(0)
