"""What the images of the examples have in common."""

from __future__ import annotations

import re

import pytest

from tests.examples.harness import EXAMPLES

PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z0-9,-]+\])?==[A-Za-z0-9.]+( ; .+)?")


@pytest.mark.parametrize("name", ["*/train/store.py", "*/train/contract.py", "*/train/resume.py"])
def test_trainers_fulfil_the_contract_alike(name: str) -> None:
    """An image holds one folder alone, so what trainers share is copied; the copies are equal."""
    assert len({path.read_text() for path in EXAMPLES.glob(name)}) == 1


def test_services_fulfil_the_contract_alike() -> None:
    """The same holds for what the services that load a model share."""
    copies = [path for path in EXAMPLES.glob("*/*/contract.py") if path.parent.name != "train"]
    assert len(copies) == 3 and len({path.read_text() for path in copies}) == 1


def test_every_dependency_is_locked() -> None:
    """Each image's requirements are exact versions."""
    files = sorted(EXAMPLES.glob("*/*/requirements.txt"))
    assert len(files) == len({path.parent for path in EXAMPLES.glob("*/*/__main__.py")})
    for path in files:
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert [line for line in lines if not PIN.fullmatch(line)] == []
