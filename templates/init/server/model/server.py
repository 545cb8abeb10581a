"""What a service gets from its environment: a model that follows what is promoted, and where to listen."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import uvicorn
from fastapi import FastAPI

from model import store

POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "30"))
Model = TypeVar("Model")


class Follower(Generic[Model]):
    """The model in use. If the service loads it by `current`, newer versions take its place as they come."""

    def __init__(self, read: Callable[[store.Version], Model], task: str) -> None:
        self._uri = os.environ.get("MODEL_URI", "")
        if not self._uri:
            raise store.Unusable("set MODEL_URI to where versions of the model are published")
        self._read, self._task = read, task
        version = os.environ.get("MODEL_VERSION", "current")
        self._wanted = store.current(self._uri) if version == "current" else store.Wanted(version)
        self.model = self._load(self._wanted)
        if version == "current":
            self._follow_later()

    @property
    def version(self) -> str:
        """The name of the version in use."""
        return self._wanted.name

    def _load(self, wanted: store.Wanted) -> Model:
        return self._read(store.load(self._uri, wanted, self._task))

    def _follow_later(self) -> None:
        timer = threading.Timer(POLL_SECONDS, self._follow)
        timer.daemon = True
        timer.start()

    def _follow(self) -> None:
        try:
            newest = store.current(self._uri)
            if newest != self._wanted:
                self.model = self._load(newest)
                self._wanted = newest
                print(f"serving {newest.name}", flush=True)
        finally:
            # Whatever is wrong with the newer one is printed, and the one in use goes on answering.
            self._follow_later()


def serve(app: FastAPI) -> None:
    """Answer requests until SIGTERM."""
    # Idle connections are the load balancer's to close: a request may be on its way on one that closes here.
    keep_alive = int(os.environ.get("KEEP_ALIVE_SECONDS", "60")) + 15
    uvicorn.run(
        app,
        host=os.environ.get("HOST") or "0.0.0.0",
        port=int(os.environ.get("PORT", "8080")),
        timeout_keep_alive=keep_alive,
        # After SIGTERM requests in flight have less time than ECS gives the task (30 s).
        timeout_graceful_shutdown=20,
    )
