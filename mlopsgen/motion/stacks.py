"""What is deployed: finished templates in the order of their deployment, and how they are delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A template's values. Intrinsic functions are in their long form: `{"Fn::GetAtt": ["Vpc", "CidrBlock"]}`."""

Template: TypeAlias = Mapping[str, Json]


class StackTemplate(NamedTuple):
    """One stack: its name without the set's prefix, and its template."""

    name: str
    template: Template


class TemplateSet(NamedTuple):
    """All templates of one environment: what one run of `deploy.sh` brings to one account and region.

    A set is what `generated/ENVIRONMENT` holds: templates, the order in which `deploy.sh` deploys them, the
    prefix of their stacks' names in AWS, the region, and the tags that every stack gets. A stack may stand in
    the order more than once, with another template each time: shared stacks grow first and shrink last.
    """

    prefix: str
    region: str
    stacks: tuple[StackTemplate, ...]
    """In the order of deployment."""
    tags: tuple[tuple[str, str], ...] = ()
    """The stacks' tags, sorted; those of mlopsgen say to which pipeline and environment a stack belongs."""

    def stack_name(self, name: str) -> str:
        """The stack's name in AWS."""
        return f"{self.prefix}-{name}" if self.prefix else name

    @property
    def owner(self) -> tuple[str, ...]:
        """What tells the stacks of this pipeline and environment from all others: its own tags' values."""
        found = dict(self.tags)
        return tuple(found.get(f"mlopsgen:{word}", "") for word in ("pipeline", "environment"))


Prunes: TypeAlias = Literal["never", "first", "around"]
"""When stacks are deleted that a set no longer has.

`first`: before anything is deployed. `around`: those that no other stack uses first, so that shared stacks
can let go of what these used; and those that others use once all is deployed, when nobody does any more.
"""


class Delivery(NamedTuple):
    """How a set is brought to AWS: what `deploy.sh` does beside deploying one stack after the other."""

    passes_parameters: bool = True
    """Whether the path of each SSM parameter is passed each time.

    What is not passed stays as the stack has it (`UsePreviousValue`), whatever the template's default says.
    """
    prunes: Prunes = "never"
    """When stacks are deleted that the set no longer has."""
    imports: bool = False
    """Whether resources are taken back that were kept and whose names the template gives."""
    releases: bool = False
    """Whether the load balancers of a stack that is deleted lose their deletion protection before."""
    guards: frozenset[str] = frozenset()
    """Types of resources that the stacks' policies keep from being replaced or taken away."""
    waits_minutes: int | None = None
    """How long it waits for one stack; None for as long as it takes."""
