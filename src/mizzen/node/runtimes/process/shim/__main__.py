"""`python -I -S .../node/shim/__main__.py SOCKET`: isolated, so nothing of the user's
environment is imported; hence the package's own root is added by hand."""

from __future__ import annotations

import os
import signal
import sys

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 5)))


def main(argv: list[str]) -> int:
    from mizzen.node.runtimes.process.shim.server import Server

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the agent's affair
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    Server(argv[1]).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
