"""What a stage leaves for the next: a folder that is whole, of one run, and says how it was made."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from train.errors import Fault
from train.settings import Hyperparameters, Settings, Value, camel

LATER = frozenset(("checkpoint_seconds", "int8_loss", "mlflow", "processes", "tensorboard", "verify_rows"))
"""Hyperparameters that do not change what is trained: each stage takes those that it is told."""


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """An empty folder, which takes the place of `folder` when the block has filled it."""
    new = folder.with_name(f".{folder.name}")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    shutil.rmtree(folder, ignore_errors=True)
    new.replace(folder)


def record(path: Path, facts: Mapping[str, object]) -> None:
    """Write what is to be known of a folder."""
    path.write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n")


def recorded(path: Path, keys: tuple[str, ...], what: str, stage: str) -> dict[str, Any]:
    """What was written there. Raises `Fault` if `stage` did not run, or not as it does now."""
    try:
        facts = json.loads(path.read_text())
    except FileNotFoundError:
        raise Fault(f"there is no {what} in {path.parents[1]}", f"run the stage {stage} first") from None
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or not facts.keys() >= set(keys):
        raise Fault(
            f"{path} is damaged, or of another version of this program", f"run the stage {stage} again"
        )
    return facts


def sha256(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differences(given: Mapping[str, Value], before: Mapping[str, Value]) -> str:
    """What is told otherwise than before, as options; empty if nothing is."""
    names = (name for name, value in before.items() if name in given and given[name] != value)
    return ", ".join(f"{_option(name)} {before[name]} (now {given[name]})" for name in names)


def continued(settings: Settings, before: Mapping[str, Value]) -> Settings:
    """The settings of the training that a later stage goes on with.

    What nobody says now is as it was. Raises `Fault` for what is said otherwise: it would be published as
    what the model was trained with.
    """
    now = settings.hyperparameters
    fields = {camel(each.name): each.name for each in dataclasses.fields(Hyperparameters)}
    trained = {name: value for name, value in before.items() if name in fields and fields[name] not in LATER}
    told = {name: value for name, value in now.to_json().items() if fields[name] in settings.told}
    if different := differences(told, trained):
        raise Fault(
            f"the model was trained with {different}", "leave them out, or train again with the stage fit"
        )
    values: dict[str, Any] = {fields[name]: value for name, value in trained.items()}
    return dataclasses.replace(settings, hyperparameters=dataclasses.replace(now, **values))


def _option(name: str) -> str:
    return "--" + "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
