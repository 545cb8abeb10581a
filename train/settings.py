"""What a run is told: by the environment (docs/contracts.md), and by options, which win."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, cast, get_args, get_type_hints

from train.errors import Fault

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Policy = Literal["manual", "automatic"]
Value = str | int | float | bool


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
    precision: Annotated[
        Precision, About("auto is bf16 where the hardware has it, fp16 on GPUs with that alone")
    ] = "auto"
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

    def to_json(self) -> dict[str, Value]:
        """By the names that JSON uses."""
        return {camel(each.name): getattr(self, each.name) for each in dataclasses.fields(self)}


GATES = 'write {"accuracy": {"atLeast": 0.88}, "loss": {"atMost": 0.4}}'

TYPES: Mapping[str, tuple[object, About]] = {
    name: (hint.__origin__, hint.__metadata__[0])
    for name, hint in get_type_hints(Hyperparameters, include_extras=True).items()
}
"""Each hyperparameter's type, and what it is."""

DEFAULTS: Mapping[str, Mapping[str, int | float]] = {
    "bow": {"max_tokens": 4096, "vocabulary": 200_000, "validation": 0.0},
    "lstm": {},
    "transformer": {
        "max_tokens": 512, "batch_size": 32, "learning_rate": 3e-5, "layers": 6, "hidden": 384,
        "dropout": 0.1, "patience": 1,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The bounds that one metric has to keep; None where there is no bound on that side."""

    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """When a version becomes the current one: `metrics` are gates by the metric's name, and all must hold."""

    policy: Policy = "manual"
    metrics: Mapping[str, Gate] = field(default_factory=dict)


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
    trigger: str = ""
    """The trigger that started the run; empty if a person did."""
    told: frozenset[str] = frozenset()
    """The hyperparameters that somebody said; all others are defaults."""


def from_environment(environ: Mapping[str, str], options: Mapping[str, str]) -> Settings:
    """The settings of a run; `options` are hyperparameters and places from the command line.

    Raises `Fault` for whatever is missing, unknown or out of range.
    """
    model_uri = options.get("output") or environ.get("MODEL_URI", "")
    given = _object(environ.get("PARAMETERS", ""), "PARAMETERS")
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
        trigger=environ.get("TRIGGER", ""),
        told=frozenset(name for name in TYPES if camel(name) in {**given, **typed}),
    )


def hyperparameters(given: Mapping[str, object], options: Mapping[str, str]) -> Hyperparameters:
    """Check and complete what PARAMETERS (`given`) and the command line (`options`) say."""
    fields = {camel(name): name for name in TYPES}
    values: dict[str, Value] = {}
    sources: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("PARAMETERS", given),
        ("the command line", options),
    )
    for where, source in sources:
        for name, value in source.items():
            if name not in fields:
                near = difflib.get_close_matches(name, sorted(fields), n=1)
                known = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(fields))}"
                raise Fault(f"{where}: there is no hyperparameter `{name}`", known)
            kind, about = TYPES[fields[name]]
            values[fields[name]] = _value(f"{where}: `{name}`", value, kind, about)
    architecture = str(values.get("architecture", "lstm"))
    if architecture not in DEFAULTS:
        raise Fault(f"there is no architecture `{architecture}`", f"known are {', '.join(DEFAULTS)}")
    # Every value has been read as its field's type, which a type checker cannot follow.
    build: Callable[..., Hyperparameters] = Hyperparameters
    return build(**{**DEFAULTS[architecture], **values})


def camel(name: str) -> str:
    """`batch_size` as JSON writes it: `batchSize`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _value(where: str, value: object, kind: object, about: About) -> Value:
    """`value` as `kind`. Numbers and truth values may be strings, as a command line has them."""
    found, wanted = _read(value, kind, about)
    if found is None:
        raise Fault(f"{where} is not {wanted}", f"give {wanted}")
    return found


def _read(value: object, kind: object, about: About) -> tuple[Value | None, str]:
    """`value` as `kind`, or None if it is not; and in words what it has to be."""
    if choices := get_args(kind):
        wanted = f"one of {', '.join(choices)}"
        return (value if isinstance(value, str) and value in choices else None), wanted
    if kind is bool:
        return {"true": True, "false": False}.get(str(value).lower()), "true or false"
    if kind is str:
        return (value if isinstance(value, str) else None), "a string"
    wanted = "a whole number" if kind is int else "a number"
    number = _finite(value)
    if number is None or (kind is int and not number.is_integer()):
        return None, wanted
    if not about.least <= number <= about.most:
        return None, f"{wanted} from {about.least:g} to {about.most:g}"
    return (int(number) if kind is int else number), wanted


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _promotion(text: str) -> Promotion:
    given = _object(text, "PROMOTION")
    if unknown := sorted(set(given) - {"policy", "metrics"}):
        raise Fault(f"PROMOTION: there is no `{unknown[0]}`", "known are `policy` and `metrics`")
    policy, metrics = given.get("policy", "manual"), given.get("metrics", {})
    if policy not in get_args(Policy):
        raise Fault("PROMOTION: `policy` is neither manual nor automatic", "write one of them")
    if not isinstance(metrics, dict):
        raise Fault("PROMOTION: `metrics` is no object of gates", GATES)
    gates = {name: _gate(name, bounds) for name, bounds in metrics.items()}
    return Promotion(policy=cast(Policy, policy), metrics=gates)


def _gate(metric: str, bounds: object) -> Gate:
    if not isinstance(bounds, dict) or not bounds or not set(bounds) <= {"atLeast", "atMost"}:
        raise Fault(f"PROMOTION: the gate of `{metric}` is not made of `atLeast` and `atMost`", GATES)
    if any(isinstance(bound, bool) or not isinstance(bound, (int, float)) for bound in bounds.values()):
        raise Fault(f"PROMOTION: a bound of `{metric}` is no number", GATES)
    return Gate(at_least=bounds.get("atLeast"), at_most=bounds.get("atMost"))


def _object(text: str, name: str) -> dict[str, object]:
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
