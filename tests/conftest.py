"""What all tests share."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests import tools

with suppress(ModuleNotFoundError):
    from hypothesis import HealthCheck, settings

    # However busy the machine is, and with the same examples every time.
    settings.register_profile(
        "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="accept what is built now as what is expected")


def pytest_configure(config: pytest.Config) -> None:
    # As a plugin: a folder's conftest.py is imported before what stands in that of the folder above is asked.
    config.pluginmanager.register(tools)


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    """Whether expected files are to be rewritten."""
    return bool(request.config.getoption("--bless"))
