"""`python -m app`: serve until SIGTERM."""

from __future__ import annotations

import gc
import os
import sys
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING

from app.settings import Misconfigured, Settings

if TYPE_CHECKING:
    from app.model import Model
    from app.reload import ModelReloader


def main() -> int:
    """Serve; the exit code."""
    try:
        settings = Settings.read(os.environ)
    except Misconfigured as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # Of what is imported nothing is garbage: to look for some would take a tenth of the start's CPU time.
    gc.disable()
    from app.reload import ModelReloader

    reloader = ModelReloader(settings)
    first = _begin(reloader)
    # While the model loads on its thread, the web framework is imported on this one.
    from app.server import serve

    return serve(settings, reloader, first)


def _begin(reloader: ModelReloader) -> Future[Model]:
    """Load the first model on a thread that does not keep the process alive."""
    loading: Future[Model] = Future()

    def load() -> None:
        try:
            loading.set_result(reloader.load(reloader.wanted()))
        except Exception as error:
            loading.set_exception(error)

    Thread(target=load, name="first model", daemon=True).start()
    return loading


if __name__ == "__main__":
    sys.exit(main())
