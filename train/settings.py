"""What a run is told: by the environment (docs/contracts.md), and by options of the command line, which win."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_type_hints

from train.errors import Fault

Precision = Literal["auto", "fp32", "bf16"]


def _setting(default: Any, says: str, least: float | None = None, most: float | None = None) -> Any:
    return field(default=default, metadata={"says": says, "least": least, "most": most})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """How a model is trained. In JSON the names are written `batchSize`, as options `--batch-size`.

    A setting without a meaning for the architecture is ignored by it. `DEFAULTS` has what differs by
    architecture.
    """

    architecture: str = _setting("lstm", "bow, lstm or transformer")
    data: str = _setting("", "reviews: file, folder, s3://, hf:OWNER/DATASET or `synthetic`; else RAW_URI")
    seed: int = _setting(0, "start of every random choice", 0, 2**31 - 1)
    epochs: int = _setting(3, "passes over the training reviews", 1, 1000)
    batch_size: int = _setting(64, "reviews in a batch, over all processes", 1, 65536)
    learning_rate: float = _setting(2e-3, "peak learning rate", 1e-8, 10)
    warmup: float = _setting(0.1, "share of the steps in which the learning rate rises", 0, 1)
    weight_decay: float = _setting(0.01, "AdamW's weight decay", 0, 10)
    dropout: float = _setting(0.5, "share of activations that are dropped in training", 0, 0.95)
    clip: float = _setting(1.0, "greatest norm of the gradient", 1e-6, 1e6)
    patience: int = _setting(2, "epochs without a better validation loss before it stops; 0: never", 0, 1000)
    validation: float = _setting(0.05, "share of the training reviews kept to choose the best epoch", 0, 0.5)
    max_tokens: int = _setting(400, "tokens of a review that are looked at", 8, 8192)
    vocabulary: int = _setting(30000, "most words in the vocabulary", 10, 1_000_000)
    embedding: int = _setting(128, "width of a word's vector", 1, 4096)
    hidden: int = _setting(128, "width of the hidden layers", 1, 8192)
    layers: int = _setting(1, "layers", 1, 48)
    heads: int = _setting(12, "attention heads of a transformer made from scratch", 1, 128)
    model: str = _setting("distilbert-base-uncased", "hub id or folder of a transformer, or `scratch`")
    ngrams: int = _setting(3, "longest n-gram of bow", 1, 3)
    buckets: int = _setting(24, "bow: n-grams of two and three words share 2 to the power of this", 10, 26)
    regularization: float = _setting(1.0, "bow: inverse strength of the linear model's penalty", 1e-6, 1e6)
    precision: Precision = _setting("auto", "auto is bf16 where the hardware has it")
    int8_loss: float = _setting(0.005, "most accuracy that the int8 model may lose", 0, 1)
    verify_rows: int = _setting(2000, "test reviews that the ONNX files are checked on; 0: all", 0, 10**9)
    synthetic_train: int = _setting(2000, "generated training reviews", 20, 10**7)
    synthetic_test: int = _setting(500, "generated test reviews", 20, 10**7)
    checkpoint_seconds: float = _setting(300.0, "time between checkpoints within an epoch", 0.1, 86400)
    processes: int = _setting(0, "training processes; 0: one for each GPU", 0, 64)
    tensorboard: bool = _setting(False, "write TensorBoard event files to LOGS_URI")
    mlflow: bool = _setting(False, "log to MLFLOW_TRACKING_URI")

    def to_json(self) -> dict[str, Any]:
        """By the names that JSON uses."""
        return {camel(each.name): getattr(self, each.name) for each in dataclasses.fields(self)}


DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "bow": {"max_tokens": 4096, "vocabulary": 200_000, "validation": 0.0},
    "lstm": {},
    "transformer": {
        "max_tokens": 512, "batch_size": 32, "learning_rate": 3e-5, "layers": 6, "hidden": 384,
        "dropout": 0.1, "patience": 1,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """When a version becomes the current one."""

    policy: Literal["manual", "automatic"] = "manual"
    minimum: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a run is told."""

    name: str
    model_uri: str
    hyperparameters: Hyperparameters
    promotion: Promotion = Promotion()
    raw_uri: str = ""
    processed_uri: str = ""
    checkpoint_uri: str = ""
    logs_uri: str = ""
    namespace: str = ""


def from_environment(environ: Mapping[str, str], options: Mapping[str, str]) -> Settings:
    """The settings of a run; `options` are hyperparameters and places from the command line.

    Raises `Fault` for whatever is missing, unknown or out of range.
    """
    model_uri = options.get("output") or environ.get("MODEL_URI", "")
    given = _object(environ.get("HYPERPARAMETERS", ""), "HYPERPARAMETERS")
    known = {each.name for each in dataclasses.fields(Hyperparameters)}
    typed = {camel(name): value for name, value in options.items() if name in known}
    return Settings(
        name=options.get("name") or environ.get("MODEL_NAME") or "model",
        model_uri=_folder(model_uri),
        hyperparameters=hyperparameters(given, typed),
        promotion=_promotion(environ.get("PROMOTION", "")),
        raw_uri=_folder(environ.get("RAW_URI", "")),
        processed_uri=_folder(environ.get("PROCESSED_URI", "")),
        checkpoint_uri=_folder(options.get("checkpoints") or environ.get("CHECKPOINT_URI", "")),
        logs_uri=_folder(environ.get("LOGS_URI", "")),
        namespace=environ.get("METRICS_NAMESPACE", ""),
    )


def hyperparameters(given: Mapping[str, Any], options: Mapping[str, str]) -> Hyperparameters:
    """Check and complete what HYPERPARAMETERS (`given`) and the command line (`options`) say."""
    fields = {camel(each.name): each for each in dataclasses.fields(Hyperparameters)}
    types = get_type_hints(Hyperparameters)
    values: dict[str, Any] = {}
    for where, source in (("HYPERPARAMETERS", given), ("the command line", options)):
        for name, value in source.items():
            if name not in fields:
                near = difflib.get_close_matches(name, sorted(fields), n=1)
                known = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(fields))}"
                raise Fault(f"{where}: there is no hyperparameter `{name}`", known)
            each = fields[name]
            values[each.name] = _value(f"{where}: `{name}`", value, types[each.name], each.metadata)
    architecture = values.get("architecture", "lstm")
    if architecture not in DEFAULTS:
        raise Fault(f"there is no architecture `{architecture}`", f"known are {', '.join(DEFAULTS)}")
    return Hyperparameters(**{**DEFAULTS[architecture], **values})


def camel(name: str) -> str:
    """`batch_size` as JSON writes it: `batchSize`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _value(where: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    """`value` as `kind`. Numbers and truth values may be strings, as a command line has them."""
    choices = get_args(kind)
    wanted = (
        f"one of {', '.join(choices)}"
        if choices
        else {int: "a whole number", float: "a number"}.get(kind, "")
    )
    try:
        if choices:
            ok = value in choices
        elif kind is bool:
            wanted = "true or false"
            value = {"true": True, "false": False}.get(str(value).lower())
            ok = value is not None
        elif kind is str:
            wanted = "a string"
            ok = isinstance(value, str)
        else:
            ok = not isinstance(value, bool) and math.isfinite(number := float(value))
            if ok and kind is int:
                ok = number == int(number)
            value = kind(number) if ok else value
            least, most = limits["least"], limits["most"]
            if ok and not least <= value <= most:
                wanted, ok = f"{wanted} from {least:g} to {most:g}", False
    except (TypeError, ValueError):
        ok = False
    if not ok:
        raise Fault(f"{where} is not {wanted}", f"give {wanted}")
    return value


def _promotion(text: str) -> Promotion:
    given = _object(text, "PROMOTION")
    policy = given.get("policy", "manual")
    minimum = given.get("minimum", {})
    if policy not in ("manual", "automatic"):
        raise Fault("PROMOTION: `policy` is neither manual nor automatic", "write one of them")
    if not isinstance(minimum, dict) or not all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in minimum.values()
    ):
        raise Fault("PROMOTION: `minimum` is no object of numbers", 'write {"accuracy": 0.88}')
    return Promotion(policy=policy, minimum=minimum)


def _object(text: str, name: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise Fault(f"{name} is no JSON: {error}", 'write an object such as {"epochs": 3}') from error
    if not isinstance(value, dict):
        raise Fault(f"{name} is no JSON object", 'write an object such as {"epochs": 3}')
    return value


def _folder(uri: str) -> str:
    return uri if not uri or uri.endswith("/") else f"{uri}/"
