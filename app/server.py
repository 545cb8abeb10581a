"""The process: one event loop that serves, follows `current.json`, writes metrics, and drains."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import uvicorn

from app.api import EXPLANATIONS, build
from app.batching import Batcher
from app.fast_path import FastPath
from app.logs import capture, log
from app.metrics import Metrics
from app.middleware import Middleware
from app.model import Model
from app.reload import ModelReloader
from app.service import Service
from app.settings import Settings

FLUSH = 10.0
"""Seconds between two writes of metrics."""


def serve(settings: Settings, reloader: ModelReloader, first: Future[Model]) -> int:
    """Serve until a signal says stop; the exit code."""
    capture()
    return asyncio.run(_serve(settings, reloader, first))


async def _serve(settings: Settings, reloader: ModelReloader, first: Future[Model]) -> int:
    app = build(settings.base_path)
    metrics = Metrics(settings.model_name, settings.metrics_namespace)
    batcher = Batcher(
        settings.threads,
        queue_time=settings.queue_time,
        timeout=settings.request_timeout,
        observe=metrics.batch,
    )
    reloader.changed = lambda: _changed(reloader, metrics)
    tokenizing = ThreadPoolExecutor(1, thread_name_prefix="tokenize")
    app.state.service = Service(reloader, batcher, metrics, tokenizing, asyncio.Semaphore(EXPLANATIONS))
    middleware = Middleware(FastPath(app), metrics, settings.request_timeout, settings.base_path)
    server = _Server(
        uvicorn.Config(
            middleware,
            host=settings.host,
            port=settings.port,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=settings.keep_alive,
            timeout_graceful_shutdown=int(settings.stop_timeout),
            ws="none",
        )
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # From a keyboard: nobody balances load.
    loop.add_signal_handler(signal.SIGINT, setattr, server, "should_exit", True)
    tasks = [
        asyncio.create_task(each)
        for each in (
            reloader.follow(first),
            _flush(metrics),
            _drain(stop, middleware, server, settings.drain_time),
        )
    ]
    # What is there by now stays: no later search for garbage has to look through it.
    gc.freeze()
    gc.enable()
    log("listening", host=settings.host, port=settings.port, threads=settings.threads)
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()
        batcher.close()
        tokenizing.shutdown(wait=False, cancel_futures=True)
        metrics.flush()
    log("stopped")
    return 0


class _Server(uvicorn.Server):
    """A server without signal handlers of its own, since it goes on for a while after SIGTERM."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _drain(stop: asyncio.Event, middleware: Middleware, server: uvicorn.Server, seconds: float) -> None:
    """Drain after SIGTERM: answer for `seconds` more, but close each connection; then let the server end."""
    await stop.wait()
    log("stopping", seconds=seconds)
    middleware.draining = True
    stop.clear()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            # A second signal means now.
            await stop.wait()
    server.should_exit = True


async def _flush(metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(FLUSH)
        metrics.flush()


def _changed(reloader: ModelReloader, metrics: Metrics) -> None:
    model = reloader.model
    failing = reloader.failure is not None
    if model:
        metrics.model(model.version, model.precision, failing, model.manifest.baseline)
    else:
        metrics.model(None, "", failing)
