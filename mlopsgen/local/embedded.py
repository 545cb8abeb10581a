"""An embedded AWS: moto's server on loopback, its state in memory, gone when the program ends."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.local.amends import amended
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
        """The variables by which any AWS SDK or the command line client talks to it, and to nothing else."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        tools = Path(sys.executable).parent
        return inherited | {
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_PAGER": "",
            "AWS_REGION": self.region,
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PATH": f"{tools}{os.pathsep}{inherited.get('PATH', os.defpath)}",
        }


@contextmanager
def embedded_aws(region: str, environment: Path | None = None, port: int = 0) -> Iterator[EmbeddedAws]:
    """Run it for as long as the block runs, on `port`, or a free one if 0.

    What the templates in `environment` take as given is there. Raises `Unavailable` without moto.
    """
    try:
        from moto.moto_api._internal.models import moto_api_backend
        from moto.server import ThreadedMotoServer
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"the package `{error.name}` is missing: install the extra with `pip install 'mlopsgen[local]'`"
        ) from None
    # A line per request, and one per resource type that moto only pretends to create, would drown the
    # progress of the stacks.
    for name in ("werkzeug", "moto"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"moto\..*")
    # Its state belongs to the process: one that was there before has left its own.
    moto_api_backend.reset()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        with amended():
            if environment:
                provide(environment, region)
            host, bound = server.get_host_and_port()
            yield EmbeddedAws(f"http://{host}:{bound}", region)
    finally:
        server.stop()
