"""`python -I -S .../node/forwarder/__main__.py`: isolated, so nothing of the user's environment is
imported; hence the package's own root is added by hand. Standard input is the agent's socket."""

from __future__ import annotations

import os
import signal
import socket
import sys

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))


def main() -> int:
    from mizzen.node.forwarder.server import Server

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the agent's affair
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    Server(socket.socket(fileno=os.dup(sys.stdin.fileno()))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
