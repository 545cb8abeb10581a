"""A bidirectional LSTM over words of its own vocabulary, pooled by maximum and mean.

Each direction reads the review's own tokens and no padding, as packed sequences would: the backward direction
reads the reversed review. Packing itself takes a slow path on the CPU (docs/training.md), and batches of like
length have little padding anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from train import distributed, loop
from train.architectures.base import INPUTS, Context, Fitted
from train.settings import Hyperparameters
from train.tokens import Encoded, Predict, word_tokenizer

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from tokenizers import Tokenizer

UNKNOWN_ID = 1
WORD_DROPOUT = 0.1
"""Share of words that training replaces by the unknown word, so that it learns to do without some."""


class Network(nn.Module):
    """Embedding, one or more bidirectional LSTM layers, pooling, a linear layer."""

    def __init__(self, words: int, embedding: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, embedding, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.zeros_(self.embedding.weight[0])
        widths = [embedding, *([2 * hidden] * (layers - 1))]
        self.forwards = nn.ModuleList(nn.LSTM(width, hidden, batch_first=True) for width in widths)
        self.backwards = nn.ModuleList(nn.LSTM(width, hidden, batch_first=True) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(4 * hidden, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        lengths = mask.sum(1)
        if self.training:
            dropped = (torch.rand(ids.shape, device=ids.device) < WORD_DROPOUT) & (mask == 1)
            ids = ids.masked_fill(dropped, UNKNOWN_ID)
        states = self.dropout(self.embedding(ids))
        # Position i of the reversed review; what lies behind the review stays behind it.
        steps = torch.arange(ids.shape[1], device=ids.device)
        turned = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)[:, :, None]
        for there, back in zip(self.forwards, self.backwards, strict=True):
            first, _ = there(states)
            second, _ = back(states.gather(1, turned.expand(states.shape)))
            second = second.gather(1, turned.expand(second.shape))
            states = torch.cat([first, second], dim=2)
        keep = mask.bool()[:, :, None]
        most = states.masked_fill(~keep, -1.0).amax(1)  # an LSTM's states lie between -1 and 1
        mean = states.masked_fill(~keep, 0.0).sum(1) / lengths[:, None]
        logits: Tensor = self.classifier(self.dropout(torch.cat([most, mean], dim=1)))
        return logits


class Lstm:
    """The bidirectional LSTM."""

    quantizable = True

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
        config = {
            "words": tokenizer.get_vocab_size(),
            "embedding": settings.embedding,
            "hidden": settings.hidden,
            "layers": settings.layers,
        }
        torch.manual_seed(settings.seed)
        model = Network(**config, dropout=settings.dropout)
        with distributed.join(settings) as worker:
            tensors, history = loop.train(model, train, validation, settings, context, worker)
        return Fitted(tensors, config, history)

    def predictor(self, fitted: Fitted, settings: Hyperparameters) -> Predict:
        sizes = {name: fitted.size(name) for name in ("words", "embedding", "hidden", "layers")}
        model = Network(**sizes, dropout=0.0)
        model.load_state_dict({name: torch.tensor(value) for name, value in fitted.tensors.items()})
        return loop.predictor(model, distributed.alone())

    def export(self, fitted: Fitted, target: Path) -> None:
        import onnx

        onnx.save(_graph(fitted), target)


def _gates(value: np.ndarray) -> np.ndarray:
    """PyTorch's order of gates (input, forget, cell, output) as ONNX has it (input, output, forget, cell)."""
    i, f, g, o = np.split(value, 4)
    return np.concatenate([i, o, f, g])


def _graph(fitted: Fitted) -> ModelProto:
    """The network as ONNX, whose LSTM knows both directions and each review's length."""
    from onnx import TensorProto, checker, helper, numpy_helper

    tensors, hidden = fitted.tensors, fitted.size("hidden")
    constants: dict[str, np.ndarray] = {
        "embedding": tensors["embedding.weight"],
        "classifier": tensors["classifier.weight"],
        "bias": tensors["classifier.bias"],
        "tokens_axis": np.array([1], np.int64),
        "last_axis": np.array([-1], np.int64),
        "first_axis": np.array([0], np.int64),
        "no_less": np.array(-1.0, np.float32),
        "nothing": np.array(0.0, np.float32),
        "flat": np.array([0, 0, -1], np.int64),
    }
    nodes: list[NodeProto] = []

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    node("ReduceSum", ["attention_mask", "tokens_axis"], "lengths", keepdims=0)
    node("Cast", ["lengths"], "lengths32", to=TensorProto.INT32)
    node("Gather", ["embedding", "input_ids"], "vectors")
    states = node("Transpose", ["vectors"], "states0", perm=[1, 0, 2])
    for layer in range(fitted.size("layers")):
        ways = [f"{way}.{layer}" for way in ("forwards", "backwards")]
        for name, keys in (
            ("W", ("weight_ih_l0",)),
            ("R", ("weight_hh_l0",)),
            ("B", ("bias_ih_l0", "bias_hh_l0")),
        ):
            parts = [np.concatenate([_gates(tensors[f"{way}.{key}"]) for key in keys]) for way in ways]
            constants[f"{name}{layer}"] = np.stack(parts)
        inputs = [states, f"W{layer}", f"R{layer}", f"B{layer}", "lengths32"]
        node("LSTM", inputs, f"both{layer}", direction="bidirectional", hidden_size=hidden)
        # tokens x directions x reviews x hidden, to tokens x reviews x (directions x hidden)
        node("Transpose", [f"both{layer}"], f"together{layer}", perm=[0, 2, 1, 3])
        states = node("Reshape", [f"together{layer}", "flat"], f"states{layer + 1}")
    node("Transpose", ["attention_mask"], "mask_by_token", perm=[1, 0])
    node("Cast", ["mask_by_token"], "keep2", to=TensorProto.BOOL)
    node("Unsqueeze", ["keep2", "last_axis"], "keep")
    node("Where", ["keep", states, "no_less"], "for_most")
    node("ReduceMax", ["for_most"], "most", axes=[0], keepdims=0)
    node("Where", ["keep", states, "nothing"], "for_mean")
    node("ReduceSum", ["for_mean", "first_axis"], "sum", keepdims=0)
    node("Cast", ["lengths"], "lengths_float", to=TensorProto.FLOAT)
    node("Unsqueeze", ["lengths_float", "last_axis"], "count")
    node("Div", ["sum", "count"], "mean")
    node("Concat", ["most", "mean"], "pooled", axis=1)
    node("Gemm", ["pooled", "classifier", "bias"], "logits", transB=1)
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "lstm",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in INPUTS],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model, full_check=True)
    return model


ARCHITECTURE = Lstm()
