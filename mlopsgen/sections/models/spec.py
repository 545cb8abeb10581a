"""`spec.models`: what is trained and served."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.language.base import Item, LaterWords, Name, NotYet, Spec

MetricName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
"""A letter, then letters, digits and `_`, as the trainer calls the metric; at most 64 characters."""

VersionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""A version such as `20261101T020000Z-0a1b2c3d`, or `current`."""


class GateSpec(Spec):
    """What a metric of a new version must be."""

    at_least: float | None = None
    """For what should be high."""

    at_most: float | None = None
    """For what should be low."""

    max_drop: NotYet = None
    """At most so much below the version that serves."""

    max_rise: NotYet = None
    """At most so much above the version that serves."""


class PromotionSpec(Spec):
    """When a newly trained version becomes the one that serves."""

    policy: Annotated[Literal["manual", "automatic"], LaterWords(("pullRequest",))] = "manual"
    """`manual` waits for a person; `automatic` does what `version` needs (moves the pointer). `pullRequest` is not built yet: it opens one that sets `version`."""

    metrics: dict[MetricName, GateSpec] = Field(default_factory=dict)
    """What a version must reach, by the trainer's names; all must hold."""


class ModelSpec(Item):
    """A model. `produces` and `loads` name it."""

    store: Name = "models"
    """The prefix under which its versions lie; added to `data` if no bucket has it."""

    version: VersionName = "current"
    """A version, literal in the template: a new one is a deployment, and `git revert` brings the old one back. `current` follows the pointer."""

    promotion: PromotionSpec = Field(default_factory=PromotionSpec)
    """The gate between a trained version and the one that serves."""

    challenger: NotYet = None
    """A second version beside `version`."""

    feedback: NotYet = None
    """Labelled answers that come back."""

    alarms: NotYet = None
    """Drift and accuracy."""
