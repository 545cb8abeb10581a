"""`python -m app`: serve until SIGTERM."""

from __future__ import annotations

import os
import sys

from app.settings import Misconfigured, Settings


def main() -> int:
    """Serve; the exit code."""
    try:
        settings = Settings.read(os.environ)
    except Misconfigured as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    import uvicorn

    from app.api import build

    uvicorn.run(build(settings), host=settings.host, port=settings.port, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
