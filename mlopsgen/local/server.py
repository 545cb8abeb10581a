"""The embedded AWS as a process of its own: `python -m mlopsgen.local.server PORT REGION ENVIRONMENT`.

Says `listening ENDPOINT` once it does, and runs until it is told to stop.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from mlopsgen.local.embedded import embedded_aws


def main(port: int, region: str, environment: Path) -> int:
    """Listen on `port` of loopback, any free one if 0, with all that the stacks in `environment` need."""
    with embedded_aws(region, environment, port) as aws:
        print(f"listening {aws.endpoint}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    # Before any thread is made, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
