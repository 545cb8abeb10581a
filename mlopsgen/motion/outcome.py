"""What a deployment does: its steps, and what is to be said of them."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from mlopsgen.motion.stacks import Json

Kind: TypeAlias = Literal["fails", "interrupts", "loses", "silent", "left-over"]
"""What a finding comes to.

`fails`: the deployment stops there. `interrupts`: callers or tasks notice. `loses`: data, or the way back.
`silent`: it deploys, and what the template says does not come true. `left-over`: the stack is done, and
something stays behind that no stack has any more.
"""

Action: TypeAlias = Literal[
    "create", "update", "interrupt", "replace", "delete", "retain", "orphan", "import"
]
"""What becomes of a resource.

`interrupt`: changed in place, and somebody notices. `retain`: it leaves its stack and stays. `orphan`: its
stack is no longer deployed and goes on. `import`: one that was kept is taken into a stack.
"""


class Change(NamedTuple):
    """One property that differs, with both values as CloudFormation has them once all is resolved.

    What only AWS knows is written as `${STACK/LOGICAL_ID#NUMBER}`: the number counts the resources that had
    this logical id, so that a replaced one differs from the one before.
    """

    path: str
    """Such as `LifecycleConfiguration.Rules[0].ExpirationInDays`."""
    before: Json
    after: Json


class Step(NamedTuple):
    """What becomes of one resource."""

    stack: str
    """Without the prefix."""
    logical_id: str
    type: str
    action: Action
    changes: tuple[Change, ...] = ()
    origin: str = ""
    """The path of the pipeline that the resource came from, as its metadata says; empty if they do not."""


class Finding(NamedTuple):
    """What is to be said of a step."""

    rule: str
    """The name of the rule, such as `priority-in-use`."""
    kind: Kind
    stack: str
    logical_id: str
    """Empty where the whole stack is meant."""
    type: str
    reason: str
    instead: str
    """What works in its place."""
    source: str
    """What the rule rests on: a page of AWS, or a public issue."""
    change: Change | None = None
    """The property that is to blame, where there is one."""
    assumption: str | None = None
    """What must be so in the account, such as `the bucket holds objects`; None: it comes true always."""
    origin: str = ""

    @property
    def stops(self) -> bool:
        """Whether the deployment cannot get past it, whatever the account holds."""
        return self.kind == "fails" and self.assumption is None
