"""An embedded AWS in the process of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen


@contextmanager
def empty_aws() -> Iterator[str]:
    """The address of an AWS that holds nothing yet.

    moto keeps what all its servers hold in the process, so it is emptied first: which other tests have run in
    this process before depends on how busy the machine is.
    """
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()
        yield endpoint
    finally:
        server.stop()
