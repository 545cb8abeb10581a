"""The gate between a trained version and a served one, and who trains which model."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlopsgen.components.models.binding import produced_by
from mlopsgen.components.models.spec import GateSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule

RATIOS = frozenset((
    "accuracy", "auc", "auroc", "averageprecision", "balancedaccuracy", "dice", "f1", "f1macro", "f1micro",
    "iou", "map", "mrr", "ndcg", "prauc", "precision", "recall", "rocauc", "sensitivity", "specificity",
))  # fmt: skip
"""Metrics that lie between 0 and 1, as lowercase letters and digits."""

RATIO_WORDS = frozenset(("accuracy", "acc", "f1", "auc", "precision", "recall"))
"""A metric with one of these among its words lies between 0 and 1."""

LOW_WORDS = frozenset((
    "brier", "cer", "err", "error", "fid", "logloss", "loss", "mae", "mape", "mse", "msle", "nll", "perplexity",
    "ppl", "rmse", "rmsle", "smape", "wer",
))  # fmt: skip
"""A metric with one of these among its words is good when it is low, unless `neg` turns it round."""


def words(metric: str) -> frozenset[str]:
    """The words of a metric's name: `val_loss` and `valLoss` are `val`, `loss`."""
    return frozenset(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", metric).lower().split("_"))


def _gates(scene: Scene) -> Iterable[tuple[SpecPath, str, GateSpec]]:
    for path, model in each(("spec", "models"), scene.site.spec.models):
        for name, gate in model.promotion.metrics.items():
            yield (*path, "promotion", "metrics", name), name, gate


@rule(
    "E370",
    "a gate that no version can pass",
    """Accuracy, precision, recall, F1, AUC, Dice and the like lie between 0 and 1. With a bound outside, no
    version would ever be promoted, or every one.""",
    "spec: {models: [{name: sentiment, promotion: {metrics: {accuracy: {atLeast: 88}}}}]}",
    "spec: {models: [{name: sentiment, promotion: {metrics: {accuracy: {atLeast: 0.88}}}}]}",
)
def gate_out_of_range(scene: Scene) -> Iterable[Finding]:
    """A bound of a share is a share."""
    for path, name, gate in _gates(scene):
        ratio = name.replace("_", "").lower() in RATIOS or bool(words(name) & RATIO_WORDS)
        for field, bound in (("atLeast", gate.at_least), ("atMost", gate.at_most)):
            if ratio and bound is not None and not 0 <= bound <= 1:
                help_ = f"say {bound / 100:g}" if 1 < bound <= 100 else None
                yield Finding((*path, field), f"`{name}` lies between 0 and 1, never at {bound:g}", help_)


@rule(
    "E371",
    "a gate that lets in the worst",
    """A loss or an error is good when it is low. `atLeast` would let a version in because it is bad; one
    that is measured negated, such as `neg_loss`, is good when it is high. Accuracy, F1 and the like are good
    when they are high: `atMost` alone would let in what is bad.""",
    "spec: {models: [{name: sentiment, promotion: {metrics: {val_loss: {atLeast: 0.3}}}}]}",
    "spec: {models: [{name: sentiment, promotion: {metrics: {val_loss: {atMost: 0.3}}}}]}",
)
def gate_the_wrong_way(scene: Scene) -> Iterable[Finding]:
    """What should be low has an upper bound, and what should be high a lower one."""
    for path, name, gate in _gates(scene):
        found = words(name)
        if gate.at_least is not None and found & LOW_WORDS and not found & {"neg", "negative"}:
            yield Finding(
                (*path, "atLeast"),
                f"`{name}` is good when it is low, and this asks for a high one",
                f"say `atMost: {gate.at_least:g}`",
                key=True,
            )
        elif (
            gate.at_most is not None
            and 0 <= gate.at_most <= 1
            and gate.at_least is None
            and found & RATIO_WORDS
            and not found & LOW_WORDS
        ):
            yield Finding(
                (*path, "atMost"),
                f"`{name}` is good when it is high, and this asks for a low one",
                f"say `atLeast: {gate.at_most:g}`, or both",
                key=True,
            )


@rule(
    "E372",
    "a gate that asks for nothing",
    "A metric of `promotion.metrics` says what it must be: `atLeast`, `atMost`, or both.",
    "spec: {models: [{name: sentiment, promotion: {metrics: {accuracy: {}}}}]}",
    "spec: {models: [{name: sentiment, promotion: {metrics: {accuracy: {atLeast: 0.9}}}}]}",
)
def empty_gate(scene: Scene) -> Iterable[Finding]:
    """A gate has a bound, and its bounds leave room."""
    for path, name, gate in _gates(scene):
        if gate.at_least is None and gate.at_most is None:
            help_ = "say `atLeast` for what should be high, `atMost` for what should be low"
            yield Finding(path, f"the gate `{name}` asks for nothing", help_, key=True)
        elif gate.at_least is not None and gate.at_most is not None and gate.at_least > gate.at_most:
            message = f"nothing is at least {gate.at_least:g} and at most {gate.at_most:g}"
            yield Finding((*path, "atLeast"), message, None, (((*path, "atMost"), "the other bound"),))


@rule(
    "E373",
    "promoted, and yet not served",
    """With `policy: automatic` a trainer moves the pointer `current`, which a model with a `version` of its
    own does not follow: nothing would come of it.""",
    """
    spec:
      models:
        - name: sentiment
          version: 20261101T020000Z-0a1b2c3d
          promotion: {policy: automatic, metrics: {accuracy: {atLeast: 0.9}}}
    """,
    """
    spec:
      models:
        - name: sentiment
          promotion: {policy: automatic, metrics: {accuracy: {atLeast: 0.9}}}
    """,
)
def automatic_without_the_pointer(scene: Scene) -> Iterable[Finding]:
    """What is promoted by itself is what serves."""
    for path, model in each(("spec", "models"), scene.site.spec.models):
        if model.promotion.policy == "automatic" and model.version != "current":
            yield Finding(
                (*path, "promotion", "policy"),
                f"`{model.name}` serves version {model.version}, whatever is promoted",
                "say `version: current`, or `policy: manual` and change `version` by hand",
                (((*path, "version"), "pinned here"),),
            )


@rule(
    "E223",
    "two jobs that train one model",
    """Two trainers of one model would take each other's checkpoints, and whichever ends last would be the
    newest version. Give each a model of its own.""",
    """
    spec:
      jobs:
        - {name: trainer, image: train, produces: [sentiment]}
        - {name: second, image: train, produces: [sentiment]}
    """,
    """
    spec:
      models: [{name: sentiment}, {name: churn}]
      jobs:
        - {name: trainer, image: train, produces: [sentiment]}
        - {name: second, image: train, produces: [churn]}
    """,
)
def two_trainers(scene: Scene) -> Iterable[Finding]:
    """A model has one trainer."""
    first: dict[str, tuple[SpecPath, str]] = {}
    for path, workload in workloads(scene):
        for at, model in each((*path, "produces"), produced_by(workload)):
            place, name = first.setdefault(model, (at, workload.name))
            if place != at:
                message = f"`{name}` produces `{model}` too"
                yield Finding(at, message, "let one job produce it", ((place, "produced here"),))


@rule(
    "W201",
    "a model that nothing uses",
    "No job produces it and nothing loads it, so nothing comes of it.",
    "spec: {models: [{name: churn}]}",
    "spec: {models: [{name: churn}], services: [{name: api, loads: [sentiment, churn]}]}",
)
def unused_model(scene: Scene) -> Iterable[Finding]:
    """A model that nothing produces or loads does nothing."""
    used = {name for _, each_ in workloads(scene) for name in (*produced_by(each_), *each_.loads)}
    for path, model in each(("spec", "models"), scene.site.spec.models):
        if model.name not in used:
            message = f"nothing produces or loads model `{model.name}`"
            yield Finding((*path, "name"), message, "name it in `produces` or `loads`, or take it away")


@rule(
    "W203",
    "promoted without a gate",
    "With `policy: automatic` and no `metrics`, a run that went wrong is served as soon as it ends.",
    "spec: {models: [{name: sentiment, promotion: {policy: automatic}}]}",
    "spec: {models: [{name: sentiment, promotion: {policy: automatic, metrics: {accuracy: {atLeast: 0.9}}}}]}",
)
def promoted_without_a_gate(scene: Scene) -> Iterable[Finding]:
    """What is promoted by itself should have to meet something."""
    for path, model in each(("spec", "models"), scene.site.spec.models):
        if model.promotion.policy == "automatic" and not model.promotion.metrics:
            yield Finding(
                (*path, "promotion", "policy"),
                f"every version of `{model.name}` is served as soon as it is trained, however bad it is",
                "say what it must reach: `metrics: {accuracy: {atLeast: 0.9}}`",
            )
