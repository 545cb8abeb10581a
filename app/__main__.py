"""`python -m app`: serve until SIGTERM."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING

from app.settings import Misconfigured, Settings

if TYPE_CHECKING:
    from app.keeper import Keeper
    from app.model import Model


def main() -> int:
    """Serve; the exit code."""
    try:
        settings = Settings.read(os.environ)
    except Misconfigured as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from app.keeper import Keeper

    keeper = Keeper(settings)
    first = _begin(keeper)
    # While the model loads on its thread, the web framework is imported on this one.
    from app.server import serve

    return serve(settings, keeper, first)


def _begin(keeper: Keeper) -> Future[Model]:
    """Load the first model on a thread that does not keep the process alive."""
    loading: Future[Model] = Future()

    def load() -> None:
        try:
            loading.set_result(keeper.load(keeper.wanted()))
        except Exception as error:
            loading.set_exception(error)

    Thread(target=load, name="first model", daemon=True).start()
    return loading


if __name__ == "__main__":
    sys.exit(main())
