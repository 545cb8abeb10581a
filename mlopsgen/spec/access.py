"""`spec.access`: what people may do."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.base import Arn, Name, Spec


class RoleSpec(Spec):
    """A role for people. What is left out gets the role's usual extent; an empty list gives nothing."""

    name: Literal["developer", "analyst", "model-trainer"]
    """`developer` pushes images and rolls out services, `analyst` reads data and dashboards, `model-trainer` runs trainers and publishes models."""

    principals: Annotated[tuple[Arn, ...], Field(min_length=1)]
    """Who may assume it: roles, users or accounts. Multi-factor authentication is required of users."""

    reads: tuple[Name, ...] | None = None
    """Prefixes that it may read."""

    writes: tuple[Name, ...] | None = None
    """Prefixes that it may write."""

    images: tuple[Name, ...] | None = None
    """Images that it may push (`developer`) or pull."""

    services: tuple[Name, ...] | None = None
    """Services that it may roll out (`developer`) or see."""

    trainers: tuple[Name, ...] | None = None
    """Trainers that it may run (`model-trainer`) or see."""


class AccessSpec(Spec):
    """What people may do."""

    roles: tuple[RoleSpec, ...] = ()
    """The roles."""
