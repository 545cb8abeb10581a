"""Any sequence classifier of the `transformers` library: a hub id, a folder, or a BERT made from scratch.

Weights are read from safetensors alone: a model that only has pickled weights is refused, and code that
comes with a model is never run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from train import distributed, loop
from train.architectures.base import INPUTS, Context, Fitted
from train.errors import Fault
from train.settings import Hyperparameters
from train.sources.reviews import LABELS
from train.tokens import MARKUP, Encoded, Predict

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

T = TypeVar("T")

SCRATCH = "scratch"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
OPSET = 17


class Network(nn.Module):
    """A pretrained model, called as all architectures are."""

    def __init__(self, inner: PreTrainedModel) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = self.inner(input_ids=ids, attention_mask=mask).logits
        return logits


class Transformer:
    """A sequence classifier of the `transformers` library."""

    quantizable = True

    def tokenizer(self, texts: Sequence[str], settings: Hyperparameters) -> Tokenizer:
        from tokenizers import Regex, normalizers

        if settings.model == SCRATCH:
            tokenizer = _word_pieces(texts, settings.vocabulary)
        else:
            from transformers import AutoTokenizer

            pretrained = _ask(settings.model, lambda name: AutoTokenizer.from_pretrained(name))
            if not getattr(pretrained, "is_fast", False):
                raise Fault(
                    f"the tokenizer of {settings.model} is none of the `tokenizers` library", "choose another"
                )
            tokenizer = pretrained.backend_tokenizer
        markup = normalizers.Replace(Regex(MARKUP), " ")
        own = [tokenizer.normalizer] if tokenizer.normalizer else []
        tokenizer.normalizer = normalizers.Sequence([markup, *own])
        return tokenizer

    def fit(
        self,
        train: Encoded,
        validation: Encoded,
        tokenizer: Tokenizer,
        settings: Hyperparameters,
        context: Context,
    ) -> Fitted:
        torch.manual_seed(settings.seed)
        inner = _model(tokenizer, settings)
        with distributed.join(settings) as worker:
            tensors, history = loop.train(Network(inner), train, validation, settings, context, worker)
        own = {name.removeprefix("inner."): value for name, value in tensors.items()}
        return Fitted(own, inner.config.to_dict(), history)

    def predictor(self, fitted: Fitted, settings: Hyperparameters) -> Predict:
        return loop.predictor(Network(_again(fitted)), distributed.alone())

    def export(self, fitted: Fitted, target: Path) -> None:
        inner = _again(fitted, attention="eager")
        inner.config.save_pretrained(target.parent)
        _trace(inner, target)
        _fuse(target, inner)


def _ask(name: str, load: Callable[[str], T]) -> T:
    """Load something by hub id or folder, or say why it cannot be had."""
    try:
        return load(name)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Fault(
            f"the transformer `{name}` cannot be loaded: {reason}",
            "set `model` to a folder with config.json, tokenizer.json and model.safetensors, to a hub id, "
            "or to `scratch`",
        ) from error


def _model(tokenizer: Tokenizer, settings: Hyperparameters) -> PreTrainedModel:
    from transformers import AutoModelForSequenceClassification, BertConfig, BertForSequenceClassification

    logging.getLogger("transformers").setLevel(logging.ERROR)
    labels: dict[int, str] = dict(enumerate(LABELS))
    numbers: dict[str, int] = {label: number for number, label in labels.items()}
    if settings.model == SCRATCH:
        if settings.hidden % settings.heads:
            raise Fault(
                f"`hidden` {settings.hidden} is no multiple of `heads` {settings.heads}", "change either"
            )
        config = BertConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=settings.hidden,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            intermediate_size=4 * settings.hidden,
            max_position_embeddings=max(512, settings.max_tokens),
            hidden_dropout_prob=settings.dropout,
            attention_probs_dropout_prob=settings.dropout,
            id2label=labels,
            label2id=numbers,
        )
        return BertForSequenceClassification(config)
    model: PreTrainedModel = _ask(
        settings.model,
        lambda name: AutoModelForSequenceClassification.from_pretrained(
            name,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            id2label=labels,
            label2id=numbers,
        ),
    )
    most = getattr(model.config, "max_position_embeddings", settings.max_tokens)
    if settings.max_tokens > most:
        raise Fault(
            f"`maxTokens` {settings.max_tokens} is more than the {most} that {settings.model} knows",
            "lower it",
        )
    return model


def _again(fitted: Fitted, attention: str = "sdpa") -> PreTrainedModel:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    given = dict(fitted.config)
    config = AutoConfig.for_model(str(given.pop("model_type")), **given)
    # transformers has types in part; this function has none.
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
        config, attn_implementation=attention
    )
    model.load_state_dict({name: torch.tensor(value) for name, value in fitted.tensors.items()})
    return model


def _word_pieces(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """A vocabulary of word pieces of its own, as BERT has it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, min_frequency=2, special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(mark, tokenizer.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _trace(inner: PreTrainedModel, target: Path) -> None:
    """Write the model as ONNX, both sides of the batch free."""
    import warnings

    axes = {name: {0: "batch", 1: "tokens"} for name in INPUTS} | {"logits": {0: "batch"}}
    ids = torch.ones(2, 8, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    with warnings.catch_warnings():
        # ONNX Runtime's fusions know the graphs of the tracing exporter, not those of its successor.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Network(inner).eval(),
            (ids, mask),
            target,
            input_names=list(INPUTS),
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def _fuse(target: Path, inner: PreTrainedModel) -> None:
    """Fuse attention, normalisation and activation into one operator each, where their patterns are found."""
    from onnxruntime.transformers.optimizer import optimize_model

    logging.getLogger("onnxruntime").setLevel(logging.ERROR)
    heads, hidden = getattr(inner.config, "num_attention_heads", 0), getattr(inner.config, "hidden_size", 0)
    fused = optimize_model(str(target), model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=0)
    fused.save_model_to_file(str(target))


ARCHITECTURE = Transformer()
