"""What the architectures compute, beside an independent way to compute it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from tests.train.conftest import SMALL, environment, run, versions
from train.architectures import bow, lstm
from train.architectures.base import Fitted
from train.errors import Fault
from train.settings import hyperparameters
from train.tokens import Encoded

WORDS = 9


def fitted_bow() -> Fitted:
    weights = np.random.default_rng(0).normal(size=WORDS + 64).astype(np.float16)
    return Fitted(
        {"weights": weights, "bias": np.array([0.25], np.float32)}, {"words": WORDS, "table": 64, "ngrams": 3}
    )


BOW = ReferenceEvaluator(bow._graph(fitted_bow()))


@examples(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=7), min_size=1, max_size=4))
def test_bow_counts_each_ngram_once(rows: list[list[int]]) -> None:
    """The graph gives what a set of n-grams adds up to, as the standard's own evaluator computes it."""
    fitted = fitted_bow()
    width = max(map(len, rows))
    ids = np.array([row + [0] * (width - len(row)) for row in rows], np.int64)
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], np.int64)
    expected = []
    for row in rows:
        columns = set(row)
        for length in (2, 3):
            for at in range(len(row) - length + 1):
                window = zip(row[at : at + length], bow.PRIMES, strict=False)
                columns.add(WORDS + sum(token * prime for token, prime in window) % 64)
        score = float(fitted.tensors["weights"].astype(np.float32)[sorted(columns)].sum()) + 0.25
        expected.append([-score / 2, score / 2])
    (logits,) = BOW.run(None, {"input_ids": ids, "attention_mask": mask})
    assert np.allclose(logits, expected, atol=1e-3)


@pytest.mark.parametrize("layers", [1, 2])
def test_lstm_reads_no_padding(layers: int) -> None:
    """Both directions give what packed sequences give."""
    torch.manual_seed(0)
    model = lstm.Network(50, 8, 6, layers, 0.0).eval()
    packed = torch.nn.LSTM(8, 6, layers, batch_first=True, bidirectional=True)
    for layer in range(layers):
        for mine, suffix in ((model.forwards[layer], ""), (model.backwards[layer], "_reverse")):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(packed, f"{kind}_l{layer}{suffix}").data.copy_(getattr(mine, f"{kind}_l0"))
    lengths = torch.tensor([9, 1, 5])
    ids = torch.randint(1, 50, (3, 9))
    mask = (torch.arange(9) < lengths[:, None]).long()
    together = torch.nn.utils.rnn.pack_padded_sequence(
        model.embedding(ids * mask), lengths, batch_first=True, enforce_sorted=False
    )
    states, _ = torch.nn.utils.rnn.pad_packed_sequence(packed(together)[0], batch_first=True)
    keep = mask.bool()[:, :, None]
    most = states.masked_fill(~keep, -1).amax(1)
    mean = states.masked_fill(~keep, 0).sum(1) / lengths[:, None]
    expected = model.classifier(torch.cat([most, mean], 1))
    assert torch.allclose(model(ids * mask, mask), expected, atol=1e-5)


def test_batches_have_little_padding() -> None:
    """Every review is in one batch of an epoch, and reviews of a batch are of like length."""
    from train import loop

    lengths = np.random.default_rng(0).integers(1, 400, 3000)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    data = Encoded(np.ones(starts[-1], np.int32), starts, np.zeros(3000, np.int64))
    batches = loop._order(data, hyperparameters({"batchSize": 32}, {}), 0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(3000))
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert lengths.sum() / padded > 0.95


def pretrained(folder: Path, **save: Any) -> Path:
    """A small DistilBERT as a checkpoint's folder has it."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "plot", "is", "superb", "awful", "script")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        folder
    )
    config = DistilBertConfig(
        vocab_size=len(words), dim=16, hidden_dim=32, n_layers=1, n_heads=2, max_position_embeddings=128
    )
    torch.manual_seed(0)
    DistilBertForSequenceClassification(config).save_pretrained(folder, **save)
    return folder


def test_a_local_checkpoint_is_fine_tuned(tmp_path: Path) -> None:
    """A folder with a pretrained model is trained on, with its own tokenizer, and published whole."""
    model = pretrained(tmp_path / "pretrained")
    given = {**SMALL["transformer"], "model": str(model), "maxTokens": 128}
    ended = run(environment(tmp_path, given))
    assert ended.code == 0, ended.lines[-1]
    (version,) = versions(tmp_path / "models" / "sentiment")
    config = json.loads((version / "config.json").read_text())
    assert config["model_type"] == "distilbert"
    assert config["id2label"] == {"0": "negative", "1": "positive"}
    assert "superb" in json.loads((version / "tokenizer.json").read_text())["model"]["vocab"]
    kinds = [node.op_type for node in onnx.load(version / "model.onnx").graph.node]
    assert kinds.count("Attention") == 1


def test_a_pickled_checkpoint_is_refused(tmp_path: Path) -> None:
    """A checkpoint that has its weights as a pickle alone is not read."""
    model = pretrained(tmp_path / "pretrained")
    (model / "model.safetensors").unlink()
    torch.save({}, model / "pytorch_model.bin")
    ended = run(environment(tmp_path, {**SMALL["transformer"], "model": str(model), "maxTokens": 128}))
    assert ended.code == 1
    assert "cannot be loaded" in ended.said("failed")["message"]
    assert "model.safetensors" in ended.said("failed")["help"]


def test_too_long_for_a_checkpoint_is_told(tmp_path: Path) -> None:
    """More tokens than the pretrained model has positions for are refused before training."""
    model = pretrained(tmp_path / "pretrained")
    ended = run(environment(tmp_path, {**SMALL["transformer"], "model": str(model), "maxTokens": 512}))
    assert ended.code == 1
    assert "`maxTokens` 512 is more than the 128" in ended.said("failed")["message"]


def test_a_loss_that_is_no_number_ends_training(tmp_path: Path) -> None:
    """Training that diverges says so, instead of publishing nonsense."""
    from train import distributed, loop

    model = lstm.Network(50, 4, 4, 1, 0.0)
    model.classifier.bias.data.fill_(float("nan"))
    starts = np.array([0, 3, 6])
    data = Encoded(np.ones(6, np.int32), starts, np.array([0, 1]))
    context = type("Context", (), {"checkpoints": type("None_", (), {"load": lambda self: None})()})()
    given = hyperparameters({"precision": "fp32"}, {})
    with pytest.raises(Fault, match="the loss is nan at step 1"):
        loop.train(model, data, data, given, context, distributed.alone())
