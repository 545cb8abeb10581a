"""An embedded AWS: moto's server on loopback, its state in memory, gone when the program ends."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.local.amends import amended
from mlopsgen.local.callers import Callers
from mlopsgen.local.surroundings import provide


class Unavailable(UserFault):
    """The user's machine lacks something that the rehearsal needs; the text says what to do."""


@dataclass(frozen=True, slots=True)
class EmbeddedAws:
    """Where it listens, and the region that clients name."""

    endpoint: str
    region: str

    @property
    def environment(self) -> dict[str, str]:
        """A whole environment in which any AWS SDK or the command line client talks to it alone."""
        tools = Path(sys.executable).parent
        return (
            without_aws(os.environ)
            | self.variables
            | {"AWS_PAGER": "", "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        )

    @property
    def variables(self) -> dict[str, str]:
        """The variables that lead a client to it, and to no account of the user's."""
        return {
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            **APART,
        }


APART = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""What keeps an SDK from the profiles of the user and from the machine's own role."""

LOOPBACK = ("127.0.0.1", "localhost")


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what leads to an account, and with no proxy between programs of this machine."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return kept | no_proxy(environment)


def no_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which this machine is asked directly, and whatever else `environment` asks so."""
    found = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = ",".join(dict.fromkeys((*LOOPBACK, *(each.strip() for each in found.split(",") if each.strip()))))
    # Programs read one or the other.
    return {"NO_PROXY": hosts, "no_proxy": hosts}


@contextmanager
def apart() -> Iterator[None]:
    """This process has no account, no profile and no proxy to itself, for as long as the block runs.

    The SDK reads a dozen variables and two files before any argument: what a shell is set up for, such as a
    profile that is only on another machine, has no say in what happens on this one.
    """
    usual = dict(os.environ)
    os.environ.update(without_aws(usual) | APART)
    for name in usual.keys() - without_aws(usual).keys() - APART.keys():
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(usual)


@contextmanager
def embedded_aws(region: str, environment: Path | None = None, port: int = 0) -> Iterator[EmbeddedAws]:
    """Run it for as long as the block runs, on `port`, or a free one if 0.

    What the templates in `environment` take as given is there. Raises `Unavailable` without moto.
    """
    try:
        from moto.moto_api._internal.models import moto_api_backend
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"the package `{error.name}` is missing: install the extra `local`, "
            "with `pip install '.[local]'` in a clone of mlopsgen"
        ) from None
    # A line per request, and one per resource type that moto only pretends to create, would drown the
    # progress of the stacks.
    for name in ("werkzeug", "moto"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"moto\..*")
    # Its state belongs to the process: one that was there before has left its own.
    moto_api_backend.reset()
    server = make_server(
        "127.0.0.1",
        port,
        Callers(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    serving = Thread(target=server.serve_forever, daemon=True)
    with amended(region):
        serving.start()
        try:
            if environment:
                provide(environment, region)
            yield EmbeddedAws(f"http://127.0.0.1:{server.port}", region)
        finally:
            server.shutdown()
            serving.join()
            server.server_close()
