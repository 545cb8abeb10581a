"""A bag of n-grams under a linear model: the honest fast baseline.

Each n-gram that a review holds counts once, weighted by the logarithm of how much more often positive
reviews hold it than negative ones (Wang and Manning, "Baselines and Bigrams", ACL 2012), under a logistic
regression. Words have a weight each; n-grams of two and three words share a table of `2 ** buckets` weights
by a hash of their token ids. So no dictionary of n-grams is kept, and the model is a gather and a sum.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from train import log
from train.architectures.base import INPUTS, Context, Epoch, Fitted
from train.settings import Hyperparameters
from train.tokens import Encoded, Ids, Logits, Predict, word_tokenizer

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from scipy.sparse import csr_matrix
    from tokenizers import Tokenizer

PRIMES = (1_000_003, 998_244_353, 1_610_612_741)
"""Multipliers of the hash. Ids stay below 2 ** 20, so a sum of three products stays within int64."""
HELD = 0.1
"""Share of the reviews that the temperature is found on."""
LEAST = 2
"""Reviews that have to hold an n-gram before it gets a weight."""


class Bow:
    """The n-gram bag."""

    quantizable = False

    def tokenizer(self, texts: Sequence[str], settings: Hyperparameters) -> Tokenizer:
        return word_tokenizer(texts, settings.vocabulary)

    def fit(
        self,
        train: Encoded,
        validation: Encoded,
        tokenizer: Tokenizer,
        settings: Hyperparameters,
        context: Context,
    ) -> Fitted:
        started = time.monotonic()
        # Little text needs no large table.
        words, table = (
            tokenizer.get_vocab_size(),
            1 << min(settings.buckets, (4 * len(train.ids)).bit_length()),
        )
        features = _presence(train, words, table, settings.ngrams)
        held = np.random.default_rng(settings.seed).random(len(train)) < HELD
        log.say("features", reviews=len(train), ngrams=int(features.nnz))
        weights, bias = _linear(features[~held], train.labels[~held], settings)
        temperature = _temperature(features[held] @ weights + bias, train.labels[held])
        weights, bias = _linear(features, train.labels, settings)
        tensors: dict[str, np.ndarray] = {
            "weights": (weights / temperature).astype(np.float16),
            "bias": np.array([bias / temperature], np.float32),
        }
        config = {"words": words, "table": table, "ngrams": settings.ngrams}
        fitted = Fitted(tensors, config)
        scores = features @ tensors["weights"].astype(np.float64) + tensors["bias"][0]
        seconds = time.monotonic() - started
        loss = float(np.logaddexp(0, np.where(train.labels == 1, -scores, scores)).mean())
        epoch = Epoch(1, loss, float("nan"), float("nan"), seconds, float(len(train.ids) / seconds))
        context.epoch_done(epoch)
        return Fitted(fitted.tensors, fitted.config, (epoch,))

    def predictor(self, fitted: Fitted, settings: Hyperparameters) -> Predict:
        weights = fitted.tensors["weights"].astype(np.float32)
        bias = fitted.tensors["bias"][0]
        words, table, ngrams = (fitted.size(name) for name in ("words", "table", "ngrams"))

        def predict(ids: Ids, mask: Ids) -> Logits:
            kept = (row[keep.astype(bool)] for row, keep in zip(ids, mask, strict=True))
            rows = [_unique(row, words, table, ngrams) for row in kept]
            half = np.array([weights[row].sum() + bias for row in rows], np.float32) / 2
            return np.stack([-half, half], axis=1)

        return predict

    def export(self, fitted: Fitted, target: Path) -> None:
        import onnx

        onnx.save(_graph(fitted), target)


def _unique(
    review: NDArray[np.int32] | NDArray[np.int64], words: int, table: int, ngrams: int
) -> NDArray[np.int64]:
    """The columns of the n-grams in a review, each once."""
    ids = review.astype(np.int64)
    parts = [ids]
    for length in range(2, min(ngrams, len(ids)) + 1):
        windows = [ids[at : len(ids) - length + 1 + at] * PRIMES[at] for at in range(length)]
        parts.append(words + np.sum(windows, axis=0) % table)
    return np.unique(np.concatenate(parts))


def _presence(reviews: Encoded, words: int, table: int, ngrams: int) -> csr_matrix:
    """A sparse matrix, reviews by columns, of ones."""
    from scipy import sparse

    rows = [
        _unique(reviews.row(index), words, table, ngrams).astype(np.int32)
        for index in log.progress(range(len(reviews)), "n-grams", len(reviews))
    ]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    columns = np.concatenate(rows)
    shape = (len(reviews), words + table)
    return sparse.csr_matrix((np.ones(len(columns), np.float64), columns, starts), shape=shape)


def _linear(
    features: csr_matrix, labels: NDArray[np.int64], settings: Hyperparameters
) -> tuple[NDArray[np.float64], float]:
    """A weight for each column, and the bias: log-count ratio times what logistic regression makes of it."""
    from sklearn.linear_model import LogisticRegression

    positive = np.asarray(features[labels == 1].sum(axis=0)).ravel() + 1
    negative = np.asarray(features[labels == 0].sum(axis=0)).ravel() + 1
    ratio = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
    ratio[positive + negative - 2 < LEAST] = 0  # what is seen once says nothing about other reviews
    model = LogisticRegression(
        C=settings.regularization, solver="liblinear", dual=True, max_iter=300, random_state=settings.seed
    )
    scaled = features.copy()
    scaled.data *= ratio[scaled.indices]
    scaled.eliminate_zeros()
    model.fit(scaled, labels)
    return model.coef_[0] * ratio, float(model.intercept_[0])


def _temperature(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """What to divide scores by so that their probabilities are honest on reviews that were not trained on."""
    if len(np.unique(labels)) < 2:
        return 1.0
    from scipy.optimize import minimize_scalar

    signed = np.where(labels == 1, -scores, scores)
    found = minimize_scalar(
        lambda power: np.logaddexp(0, signed / np.exp(power)).mean(), bounds=(-3, 5), method="bounded"
    )
    return float(np.exp(found.x))


def _graph(fitted: Fitted) -> ModelProto:
    """The model as ONNX: hash the n-grams, sort them to count each once, gather their weights and add."""
    from onnx import TensorProto, checker, helper, numpy_helper

    words, table = fitted.size("words"), fitted.size("table")
    constants: dict[str, np.ndarray] = {
        "weights": fitted.tensors["weights"],
        "bias": fitted.tensors["bias"].reshape(1, 1),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "minus_one": np.array([-1], np.int64),
        "last": np.array([np.iinfo(np.int64).max], np.int64),
        "words": np.array([words], np.int64),
        "table": np.array([table], np.int64),
        "none": np.array([-1], np.int64),
        "no_column": np.array(words + table, np.int64),
        "signs": np.array([[-0.5, 0.5]], np.float32),
        **{f"prime{index}": np.array([prime], np.int64) for index, prime in enumerate(PRIMES)},
        **{f"offset{at}": np.array([at], np.int64) for at in (1, 2)},
        **{f"end{at}": np.array([-at], np.int64) for at in (1, 2)},
    }
    nodes: list[NodeProto] = []

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    # A column of -1 stands for "no n-gram here": it sorts last in descending order and weighs nothing.
    node("Cast", ["attention_mask"], "keep", to=TensorProto.BOOL)
    columns = [node("Where", ["keep", "input_ids", "none"], "columns1")]
    # Two columns of padding let every review have a window of each length.
    node("Constant", [], "two_more", value=numpy_helper.from_array(np.array([0, 0, 0, 2], np.int64)))
    node("Pad", ["columns1", "two_more", "no_id"], "wide")
    constants["no_id"] = np.array(-1, np.int64)
    for length in range(2, fitted.size("ngrams") + 1):
        parts = []
        for at in range(length):
            stop = at - 2
            end = "last" if stop == 0 else f"end{-stop}"
            start = "zero" if at == 0 else f"offset{at}"
            view = node("Slice", ["wide", start, end, "one"], f"view{length}_{at}")
            parts.append((view, node("Mul", [view, f"prime{at}"], f"product{length}_{at}")))
        total = parts[0][1]
        for at in range(1, length):
            total = node("Add", [total, parts[at][1]], f"sum{length}_{at}")
        node("Mod", [total, "table"], f"bucket{length}")
        node("Add", [f"bucket{length}", "words"], f"shifted{length}")
        node("GreaterOrEqual", [parts[-1][0], "zero"], f"whole{length}")
        columns.append(node("Where", [f"whole{length}", f"shifted{length}", "none"], f"columns{length}"))
    node("Concat", columns, "all", axis=1)
    node("Shape", ["all"], "count", start=1, end=2)
    nodes.append(helper.make_node("TopK", ["all", "count"], ["sorted", "order"], axis=1, largest=1, sorted=1))
    node("Pad", ["sorted", "one_before", "no_column"], "shifted")
    constants["one_before"] = np.array([0, 1, 0, 0], np.int64)
    node("Slice", ["shifted", "zero", "minus_one", "one"], "previous")
    node("Equal", ["sorted", "previous"], "repeated")
    node("Less", ["sorted", "zero"], "absent")
    node("Or", ["repeated", "absent"], "ignored")
    node("Max", ["sorted", "zero"], "columns")
    node("Gather", ["weights", "columns"], "found16")
    node("Cast", ["found16"], "found", to=TensorProto.FLOAT)
    constants["nothing"] = np.array(0, np.float32)
    node("Where", ["ignored", "nothing", "found"], "counted")
    node("ReduceSum", ["counted", "one"], "score", keepdims=1)
    node("Add", ["score", "bias"], "biased")
    node("Mul", ["biased", "signs"], "logits")
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "bow",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in INPUTS],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model, full_check=True)
    return model


ARCHITECTURE = Bow()
