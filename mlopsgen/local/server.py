"""The embedded AWS as a process of its own: `python -m mlopsgen.local.server PORT`.

Says `listening HOST PORT` once it does, and runs until it is told to stop.
"""

from __future__ import annotations

import logging
import signal
import sys
import warnings


def main(port: int) -> int:
    """Listen on `port` of loopback, any free one if 0."""
    from moto.server import ThreadedMotoServer

    for name in ("werkzeug", "moto"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    host, bound = server.get_host_and_port()
    print(f"listening {host} {bound}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop()
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main(int(sys.argv[1])))
