"""One service that all tests of a worker share, where a test needs no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.app.models import publish
from tests.app.service import Running, serving

FIRST = "20261123T081500Z-1a2b3c4d"
SECOND = "20261124T081500Z-5e6f7a8b"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with a small model; no test may change it."""
    folder = tmp_path_factory.mktemp("service")
    store = folder / "store"
    publish(store, FIRST)
    with serving(store, folder, METRICS_NAMESPACE="imdb/dev", REQUEST_TIMEOUT_SECONDS="60") as running:
        yield running
