"""Reads interactions from `raw/`, factorises them, measures recall, exports and publishes."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet
from onnx import TensorProto, helper, numpy_helper
from scipy.sparse import csr_matrix

from .contract import Checkpoint, Failed, Job, location, log, publish, run
from .data import Split, read, split

TOP = 20
SCORES_AT_ONCE = 10_000_000
LARGEST_MODEL = 2_000_000_000
"""Bytes of factors; an ONNX file is one protobuf message, which ends at 2 GiB."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`spec.jobs[].parameters`."""

    factors: int = 64
    iterations: int = 15
    regularization: float = 0.05
    alpha: float = 20.0
    """How much more an interaction says than its absence."""
    seed: int = 1


def fit(train: csr_matrix, settings: Settings, checkpoint: Checkpoint) -> tuple[np.ndarray, np.ndarray]:
    """Factors of users and items by alternating least squares (Hu, Koren and Volinsky, 2008)."""
    start = np.random.default_rng(settings.seed).normal(0, 0.1, (train.shape[1], settings.factors))
    state = (0, start)
    if saved := checkpoint.fetch():
        with np.load(saved, allow_pickle=False) as arrays:
            state = (int(arrays["done"]), arrays["items"])
    columns = train.T.tocsr()
    try:
        while state[0] < settings.iterations:
            users = _solve(train, state[1], settings)
            state = (state[0] + 1, _solve(columns, users, settings))
            log("iteration", done=state[0], of=settings.iterations)
    except SystemExit:
        np.savez(checkpoint.path, done=state[0], items=state[1])
        checkpoint.keep()
        raise
    return _solve(train, state[1], settings), state[1]


def _solve(counts: csr_matrix, other: np.ndarray, settings: Settings) -> np.ndarray:
    """The factors of each row that fit best, given those of the columns."""
    common = other.T @ other + settings.regularization * np.eye(settings.factors)
    solved = np.zeros((counts.shape[0], settings.factors))
    for row, (begin, end) in enumerate(zip(counts.indptr, counts.indptr[1:], strict=False)):
        picked, extra = other[counts.indices[begin:end]], settings.alpha * counts.data[begin:end]
        solved[row] = np.linalg.solve(common + (picked.T * extra) @ picked, picked.T @ (1 + extra))
    return solved


def evaluate(data: Split, users: np.ndarray, items: np.ndarray) -> dict[str, float]:
    """The share of users whose held-out item is among the first 20 that they have not had."""
    tested = np.flatnonzero(data.held_out >= 0)
    popular = np.asarray(data.train.sum(axis=0)).ravel()
    hits = {"recallAt20": 0, "recallAt20OfPopular": 0}
    together = max(1, SCORES_AT_ONCE // len(items))
    for begin in range(0, len(tested), together):
        rows = tested[begin : begin + together]
        seen = data.train[rows].tocoo()
        bestsellers = np.tile(popular, (len(rows), 1))
        for name, scores in (("recallAt20", users[rows] @ items.T), ("recallAt20OfPopular", bestsellers)):
            scores[seen.row, seen.col] = -np.inf
            own = scores[np.arange(len(rows)), data.held_out[rows]]
            hits[name] += int(np.sum((scores >= own[:, None]).sum(axis=1) <= TOP))
    return {name: count / max(len(tested), 1) for name, count in hits.items()}


def export(data: Split, users: np.ndarray, items: np.ndarray, folder: Path) -> None:
    """`model.onnx` scores all items for a user's number; `catalog.npz` says what the numbers mean."""
    if (users.size + items.size) * 4 > LARGEST_MODEL:
        raise Failed("the factors of all users and items exceed 2 GB; use fewer factors")
    weights = {"users": users, "items": items.T}
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["users", "user"], ["factors"], axis=0),
            helper.make_node("MatMul", ["factors", "items"], ["scores"]),
        ],
        "recommender",
        [helper.make_tensor_value_info("user", TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(items)])],
        [numpy_helper.from_array(np.ascontiguousarray(w, np.float32), name) for name, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    tested = np.flatnonzero(data.held_out >= 0)
    last = csr_matrix((np.ones(len(tested)), (tested, data.held_out[tested])), data.train.shape)
    seen = (data.train + last).tocsr()
    popular = np.argsort(-np.asarray(seen.sum(axis=0)).ravel(), kind="stable")
    arrays = {"users": data.users, "items": data.items, "popular": popular}
    np.savez_compressed(folder / "catalog.npz", starts=seen.indptr, seen=seen.indices, **arrays)


def train(job: Job, folder: Path) -> None:
    """The whole run: read, factorise, measure, export, publish."""
    settings = job.settings(Settings)
    table, data_digest = read(folder / "raw")
    data = split(table)
    log("read", interactions=len(table), users=len(data.users), items=len(data.items))
    if "PROCESSED_URI" in os.environ:
        pyarrow.parquet.write_table(table, folder / "interactions.parquet")
        location("PROCESSED_URI").put(f"{job.model}/interactions.parquet", folder / "interactions.parquet")
    users, items = fit(
        data.train, settings, Checkpoint(job, folder / "checkpoint.npz", data_digest, settings)
    )
    metrics = evaluate(data, users, items)
    log("evaluated", **metrics)
    (folder / "model").mkdir()
    export(data, users, items, folder / "model")
    facts = {
        "task": "recommendation",
        "architecture": "als",
        "runtime": {"onnx": "model.onnx"},
        "inputs": ["user"],
        "metrics": metrics,
        "data": {
            "digest": data_digest,
            "train": int(data.train.nnz),
            "test": int((data.held_out >= 0).sum()),
        },
        "hyperparameters": asdict(settings),
    }
    publish(job, folder / "model", facts)


if __name__ == "__main__":
    sys.exit(run(train))
