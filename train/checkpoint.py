"""Checkpoints in the store: one safetensors file a run, so that none is ever half written, and no pickle."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train import log
from train.code import code_digest
from train.settings import Settings, camel
from train.store import Store, open_store

IGNORED = ("data", "verify_rows", "int8_loss", "checkpoint_seconds", "tensorboard", "mlflow", "processes")
"""Hyperparameters that do not change what is fitted, or that the prepared files' key stands for."""
NAME = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run: tensors by name, and the numbers that go with them."""

    tensors: Mapping[str, np.ndarray]
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoint of one run: the same data, settings and program. Without a store there is none."""

    store: Store | None
    run: str

    def load(self) -> Checkpoint | None:
        """The last one, or None. One that cannot be read is told and left aside."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        name = f"{self.run}/{NAME}"
        if self.store is None or name not in {entry.name for entry in self.store.entries()}:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, NAME)
            self.store.fetch(name, path)
            try:
                tensors = load_file(path)
                facts = json.loads(_metadata(path)["facts"])
            except (SafetensorError, KeyError, ValueError) as error:
                log.warn(
                    "checkpoint", message="unreadable: training starts anew", error=str(error), run=self.run
                )
                return None
        return Checkpoint(tensors, facts)

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the last one."""
        from safetensors.numpy import save_file

        if self.store is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, NAME)
            tensors = {name: np.ascontiguousarray(value) for name, value in checkpoint.tensors.items()}
            save_file(tensors, path, metadata={"facts": json.dumps(dict(checkpoint.facts))})
            self.store.write(f"{self.run}/{NAME}", path)


def open_checkpoints(settings: Settings, prepared: str) -> Checkpoints:
    """The checkpoints of a run on the prepared reviews of this key."""
    told = {
        key: value
        for key, value in settings.hyperparameters.to_json().items()
        if key not in map(camel, IGNORED)
    }
    code = code_digest("architectures", "loop.py", "distributed.py")
    text = "\n".join((prepared, json.dumps(told, sort_keys=True), code))
    run = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Checkpoints(open_store(settings.checkpoint_uri) if settings.checkpoint_uri else None, run)


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return dict(file.metadata() or {})
