"""`spec.models`: what is trained and served."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.base import Name, Spec

MetricName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
"""A letter, then letters, digits and `_`, as the trainer calls the metric; at most 64 characters."""


class PromotionSpec(Spec):
    """When a newly trained version becomes the current one."""

    policy: Literal["manual", "automatic"] = "manual"
    """`automatic` promotes each version that meets the minimum; `manual` waits for a person."""

    minimum: dict[MetricName, float] = Field(default_factory=dict)
    """The least value of each metric that a version needs to be promoted."""


class ModelSpec(Spec):
    """A model: its versions live under `models/<name>/` in the data bucket."""

    name: Name
    """Trainers name it in `produces`, services in `serves`."""

    promotion: PromotionSpec = Field(default_factory=PromotionSpec)
    """The gate between a trained version and a served one."""
