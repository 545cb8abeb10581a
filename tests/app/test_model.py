"""A loaded model, within this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.manifest import Wanted
from app.model import Model, load
from app.settings import Settings
from app.store import Folder
from tests.app.conftest import FIRST
from tests.app.models import publish


def loaded(store: Path, cores: int) -> Model:
    """The first version, which may take so many cores for a lone text."""
    settings = Settings(model_name="sentiment", model_uri=str(store), lone_threads=cores)
    return load(Folder(store), Wanted(FIRST, None), settings)


def test_several_cores_answer_as_one_does(tmp_path: Path) -> None:
    """A model that takes a while can be run on several cores too, with the same answer to the last bit."""
    publish(tmp_path, FIRST, slow=4)
    model = loaded(tmp_path, 2)
    assert model.wide
    for text in ("good", "a wonderful film, if a little dull " * 9):
        ids = [model.encode(text).ids]
        assert model.probabilities(ids, wide=True) == model.probabilities(ids)
    assert loaded(tmp_path, 1).probabilities(ids) == model.probabilities(ids)


@pytest.mark.parametrize(("slow", "cores"), [(0, 2), (4, 1)], ids=["a quick model", "one core"])
def test_what_gains_nothing_by_several_cores(tmp_path: Path, slow: int, cores: int) -> None:
    """It has no second session, whose memory would be lost."""
    publish(tmp_path, FIRST, slow=slow)
    assert not loaded(tmp_path, cores).wide
