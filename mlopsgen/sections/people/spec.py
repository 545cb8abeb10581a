"""`spec.people`: who may do what."""

from typing import Literal

from mlopsgen.language.base import Item, Name, NotYet, Spec
from mlopsgen.language.values import Arn


class RoleSpec(Item):
    """A role for people. A verb that is left out is the preset's; `[]` gives nothing."""

    preset: Literal["developer", "analyst", "modelTrainer"] | None = None
    """What each verb is by default: `developer` pushes and deploys, `analyst` reads data and dashboards, `modelTrainer` runs jobs that produce and promotes. Without it every verb is empty."""

    principals: tuple[Arn, ...] = ()
    """ARNs that may assume it; users need MFA."""

    reads: tuple[Name, ...] | None = None
    """Prefixes that it may read."""

    writes: tuple[Name, ...] | None = None
    """Prefixes that it may write."""

    pushes: tuple[Name, ...] | None = None
    """Images that it may push."""

    deploys: tuple[Name, ...] | None = None
    """Services, workers, sites that it may deploy."""

    runs: tuple[Name, ...] | None = None
    """Jobs, workflows: and with them what those may read and write, which the README says."""

    promotes: tuple[Name, ...] | None = None
    """Models that it may promote."""

    opens: NotYet = None
    """Instances, and workloads with `exec`."""

    permissions: NotYet = None
    """Actions on AWS that the verbs do not give, each with a reason."""


class PeopleSpec(Spec):
    """Who may do what."""

    roles: tuple[RoleSpec, ...] = ()
    """Roles that people assume."""

    groups: NotYet = None
    """Groups of people, of IAM or of Identity Center."""

    users: NotYet = None
    """IAM users without keys and passwords."""
