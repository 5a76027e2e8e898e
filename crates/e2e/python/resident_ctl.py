"""The original's supervisorctl, many times over: Python starts once, and forks for each command line.

usage: resident_ctl.py SUPERVISORCTL    a request on stdin is one line: hexadecimal fields, divided by blanks: the files
for stdin, stdout and stderr, then NAME=VALUE for the environment, an empty field, and the arguments. The answer on
stdout is a line with the exit status, negative for a signal.
"""

import atexit
import gc
import os
import runpy
import signal
import sys
import threading
import traceback

import supervisor.supervisorctl  # noqa: F401 what takes long


def line():
    got = b""
    while not got.endswith(b"\n"):
        some = os.read(0, 65536)
        if not some:
            os._exit(0)
        got += some
    return got


def fields(got):
    # An empty field is a lone dot, since blanks divide.
    return [b"" if word == b"." else bytes.fromhex(word.decode()) for word in got.split()]


def serve():
    """Gives the arguments, in the child that is to be supervisorctl."""
    while True:
        stdin, stdout, stderr, *rest = fields(line())
        pid = os.fork()
        if pid == 0:
            cut = rest.index(b"")
            for word in rest[:cut]:
                name, value = word.split(b"=", 1)
                os.environb[name] = value
            made = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            for number, path, flags in ((0, stdin, os.O_RDONLY), (1, stdout, made), (2, stderr, made)):
                opened = os.open(path, flags, 0o644)
                os.dup2(opened, number)
                os.close(opened)
            return [os.fsdecode(arg) for arg in rest[cut + 1:]]
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


def end(status):
    """Ends as Python does, but for taking itself to pieces, which costs more than all the rest."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    script = sys.argv[1]
    gc.disable()
    gc.freeze()
    sys.argv[:] = [script, *serve()]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as exit:
        if not isinstance(exit.code, (int, type(None))):
            sys.stderr.write(f"{exit.code}\n")
        end(exit.code if isinstance(exit.code, int) else 0 if exit.code is None else 1)
    except BaseException:
        traceback.print_exc()
        end(1)
    end(0)
