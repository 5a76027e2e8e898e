"""Python's own XML-RPC client against a supervisord: calls many methods and prints the answers as Python sees them.

usage: client.py SERVERURL
"""

import sys
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

proxy = ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, sys.argv[1]))


def plain(value):
    """Without times and process ids."""
    if isinstance(value, dict):
        return {name: ("TIME" if name in ("now", "start", "stop") and item else "PID" if name == "pid" and item else plain(item))
                for name, item in sorted(value.items())}
    return [plain(item) for item in value] if isinstance(value, list) else value


def show(name, *params):
    method = proxy
    for part in name.split("."):
        method = getattr(method, part)
    try:
        print(name, params, repr(plain(method(*params))))
    except Fault as fault:
        print(name, params, fault.faultCode, fault.faultString)


show("supervisor.getState")
show("supervisor.getSupervisorVersion")
show("supervisor.getProcessInfo", "a")
show("supervisor.getAllProcessInfo")
show("supervisor.getAllConfigInfo")
show("supervisor.startProcess", "b")
show("supervisor.startProcess", "b")
show("supervisor.sendProcessStdin", "b", "Malmö")
show("supervisor.sendRemoteCommEvent", "type", "dätä")
show("supervisor.stopProcess", "b")
show("supervisor.getProcessInfo", "nöne")
show("supervisor.reloadConfig")
print([name for name in proxy.system.listMethods() if not name.startswith("ironlance.")])
show("system.methodSignature", "supervisor.startProcess")
# Not through MultiCall: it wants each result in a list of one, as the documents say and the original does not.
show("system.multicall", [
    {"methodName": "supervisor.getState", "params": []},
    {"methodName": "supervisor.startProcess", "params": ["b"]},
    {"methodName": "supervisor.getProcessInfo", "params": ["none"]},
])
