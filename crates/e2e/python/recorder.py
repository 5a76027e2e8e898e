"""An event listener that writes down what it is sent, byte for byte, and answers as it is told.

usage: recorder.py FILE [ANSWER...]    one ANSWER for each event, the last of them for all that follow:
OK, FAIL; DIE ends with status 1 and no answer; MUTE never answers; anything else is written as it stands.
"""

import sys
import time

record, answers = open(sys.argv[1], "ab", buffering=0), sys.argv[2:] or ["OK"]
stdin = sys.stdin.buffer


def characters(count):
    """Reads so many characters: the length of an event counts them, not bytes."""
    text = b""
    missing = count
    while missing:
        # No character is shorter than a byte.
        more = stdin.read(missing)
        if not more:
            sys.exit(0)
        text += more
        missing = count - len(text.decode("utf-8", "ignore"))
    return text


sys.stdout.write("READY\n")
sys.stdout.flush()
while True:
    header = stdin.readline()
    if not header:
        break
    fields = dict(token.split(":", 1) for token in header.decode().split())
    record.write(header + characters(int(fields["len"])) + b"\n")
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if answer == "DIE":
        sys.exit(1)
    while answer == "MUTE":
        time.sleep(3600)
    if answer in ("OK", "FAIL"):
        answer = "RESULT %d\n%sREADY\n" % (len(answer), answer)
    sys.stdout.write(answer.encode().decode("unicode_escape"))
    sys.stdout.flush()
