"""What a run is told: by the environment (docs/contracts.md), and by options, which win."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args, get_type_hints

from train.errors import Fault

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class About:
    """What a hyperparameter is, and its limits where it is a number."""

    says: str
    least: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """How a model is trained. In JSON the names are written `batchSize`, as options `--batch-size`.

    A setting without a meaning for the architecture is ignored by it. `DEFAULTS` has what differs by
    architecture.
    """

    architecture: Annotated[str, About("bow, lstm or transformer")] = "lstm"
    data: Annotated[
        str, About("reviews: file, folder, s3://, hf:OWNER/DATASET or `synthetic`; else RAW_URI")
    ] = ""
    seed: Annotated[int, About("start of every random choice", 0, 2**31 - 1)] = 0
    epochs: Annotated[int, About("passes over the training reviews", 1, 1000)] = 3
    batch_size: Annotated[int, About("reviews in a batch, over all processes", 1, 65536)] = 64
    learning_rate: Annotated[float, About("peak learning rate", 1e-8, 10)] = 4e-3
    warmup: Annotated[float, About("share of the steps in which the learning rate rises", 0, 1)] = 0.1
    weight_decay: Annotated[float, About("AdamW's weight decay", 0, 10)] = 0.01
    dropout: Annotated[float, About("share of activations that are dropped in training", 0, 0.95)] = 0.5
    clip: Annotated[float, About("greatest norm of the gradient", 1e-6, 1e6)] = 1.0
    patience: Annotated[
        int, About("epochs without a better validation loss before it stops; 0: never", 0, 1000)
    ] = 2
    validation: Annotated[
        float, About("share of the training reviews kept to choose the best epoch", 0, 0.5)
    ] = 0.05
    max_tokens: Annotated[int, About("tokens of a review that are looked at", 8, 8192)] = 400
    vocabulary: Annotated[int, About("most words in the vocabulary", 10, 1_000_000)] = 30000
    embedding: Annotated[int, About("width of a word's vector", 1, 4096)] = 128
    hidden: Annotated[int, About("width of the hidden layers", 1, 8192)] = 128
    layers: Annotated[int, About("layers", 1, 48)] = 1
    heads: Annotated[int, About("attention heads of a transformer made from scratch", 1, 128)] = 12
    model: Annotated[str, About("hub id or folder of a transformer, or `scratch`")] = (
        "distilbert-base-uncased"
    )
    ngrams: Annotated[int, About("longest n-gram of bow", 1, 3)] = 3
    buckets: Annotated[
        int, About("bow: longer n-grams share at most 2 to the power of this weights", 10, 26)
    ] = 24
    regularization: Annotated[
        float, About("bow: inverse strength of the linear model's penalty", 1e-6, 1e6)
    ] = 1.0
    precision: Annotated[Precision, About("auto is bf16 where the hardware has it")] = "auto"
    int8_loss: Annotated[float, About("most accuracy that the int8 model may lose", 0, 1)] = 0.005
    verify_rows: Annotated[
        int, About("test reviews that the ONNX files are checked on; 0: all", 0, 10**9)
    ] = 2000
    synthetic_train: Annotated[int, About("generated training reviews", 20, 10**7)] = 2000
    synthetic_test: Annotated[int, About("generated test reviews", 20, 10**7)] = 500
    checkpoint_seconds: Annotated[float, About("time between checkpoints within an epoch", 0.1, 86400)] = (
        300.0
    )
    processes: Annotated[int, About("training processes; 0: one for each GPU", 0, 64)] = 0
    tensorboard: Annotated[bool, About("write TensorBoard event files to LOGS_URI")] = False
    mlflow: Annotated[bool, About("log to MLFLOW_TRACKING_URI")] = False

    def to_json(self) -> dict[str, Any]:
        """By the names that JSON uses."""
        return {camel(each.name): getattr(self, each.name) for each in dataclasses.fields(self)}


TYPES: Mapping[str, tuple[Any, About]] = {
    name: (hint.__origin__, hint.__metadata__[0])
    for name, hint in get_type_hints(Hyperparameters, include_extras=True).items()
}
"""Each hyperparameter's type, and what it is."""

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
    typed = {camel(name): value for name, value in options.items() if name in TYPES}
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
    fields = {camel(name): name for name in TYPES}
    values: dict[str, Any] = {}
    for where, source in (("HYPERPARAMETERS", given), ("the command line", options)):
        for name, value in source.items():
            if name not in fields:
                near = difflib.get_close_matches(name, sorted(fields), n=1)
                known = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(fields))}"
                raise Fault(f"{where}: there is no hyperparameter `{name}`", known)
            kind, about = TYPES[fields[name]]
            values[fields[name]] = _value(f"{where}: `{name}`", value, kind, about)
    architecture = values.get("architecture", "lstm")
    if architecture not in DEFAULTS:
        raise Fault(f"there is no architecture `{architecture}`", f"known are {', '.join(DEFAULTS)}")
    return Hyperparameters(**{**DEFAULTS[architecture], **values})


def camel(name: str) -> str:
    """`batch_size` as JSON writes it: `batchSize`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _value(where: str, value: Any, kind: Any, about: About) -> Any:
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
            if ok and not about.least <= value <= about.most:
                wanted, ok = f"{wanted} from {about.least:g} to {about.most:g}", False
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
