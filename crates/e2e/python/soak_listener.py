"""An event listener that writes one line for each event before it answers; usage: soak_listener.py FILE.

The line goes out in one write, so that a kill -9 at any moment leaves whole lines only.
"""
import os
import sys

record = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
source = sys.stdin.buffer


def tokens(line):
    return dict(token.split(":", 1) for token in line.split() if ":" in token)


while True:
    os.write(1, b"READY\n")
    line = source.readline()
    if not line:
        break
    header = tokens(line.decode())
    # Everything that the programs of the soak write is ASCII: characters are bytes.
    body = source.read(int(header["len"])).decode()
    fact = tokens(body.split("\n", 1)[0])
    name = fact.get("groupname", "-") + ":" + fact.get("processname", "-")
    words = [header["poolserial"], header["eventname"], name, fact.get("from_state", "-")]
    os.write(record, (" ".join(words) + "\n").encode())
    os.write(1, b"RESULT 2\nOK")
