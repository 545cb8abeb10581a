"""The gate between a trained version and a served one."""

from __future__ import annotations

from collections.abc import Iterable

from mlopsgen.checks.rule import Finding, Scene, rule

RATIOS = frozenset((
    "accuracy", "auc", "auroc", "averageprecision", "balancedaccuracy", "dice", "f1", "f1macro", "f1micro",
    "iou", "map", "mrr", "ndcg", "prauc", "precision", "recall", "rocauc", "sensitivity", "specificity",
))  # fmt: skip
"""Metrics that lie between 0 and 1, as lowercase letters and digits."""


@rule("E370")
def promotion_out_of_range(scene: Scene) -> Iterable[Finding]:
    """A minimum that no version can meet stops every promotion."""
    for index, model in enumerate(scene.site.spec.models):
        for name, least in model.promotion.minimum.items():
            ratio = name.replace("_", "").lower() in RATIOS
            if ratio and not 0 <= least <= 1:
                path = ("spec", "models", index, "promotion", "minimum", name)
                help_ = f"say {least / 100:g}" if 1 < least <= 100 else None
                yield Finding(path, f"`{name}` lies between 0 and 1, so {least:g} is never met", help_)


@rule("W203")
def promoted_without_a_gate(scene: Scene) -> Iterable[Finding]:
    """What is promoted by itself should have to meet something."""
    for index, model in enumerate(scene.site.spec.models):
        if model.promotion.policy == "automatic" and not model.promotion.minimum:
            yield Finding(
                ("spec", "models", index, "promotion", "policy"),
                f"every version of `{model.name}` is served as soon as it is trained, however bad it is",
                "say what it must reach: `minimum: {accuracy: 0.9}`",
            )
