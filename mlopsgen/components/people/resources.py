"""`spec.people`: roles for people, each by what it reads, writes, pushes, deploys, runs and promotes."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt

from mlopsgen.aws.partitions import partition
from mlopsgen.components.people.grants import grants
from mlopsgen.components.people.reach import ALL, Reach, long_running, reach
from mlopsgen.components.people.spec import RoleSpec
from mlopsgen.language.values import HOUR
from mlopsgen.model.binding import Bindings
from mlopsgen.model.names import logical, within
from mlopsgen.model.plan import Command, Declaration, FlowEdge, FlowNode, Phase, StackDescription
from mlopsgen.model.site import Site, by_name
from mlopsgen.parts.resource import Scope, output
from mlopsgen.parts.roles import Role, declare_role, role_path, trust_people

STACK = "people"

ROLE_NAME = 64
"""Characters of a role's name (IAM user guide, "IAM and AWS STS quotas")."""

SESSION = 4 * HOUR
"""Seconds that a person keeps a role before asking for it again; AWS cuts it to an hour from role to role."""


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """A role for each that the file names."""
    roles = by_name(site.spec.people.roles)
    if roles:
        yield StackDescription(STACK, "roles for people", Phase.LAST)
    for each in roles:
        yield from _role(site, each)


def _role(site: Site, spec: RoleSpec) -> Iterator[Declaration]:
    extent = reach(site, spec)
    logical_id, name = f"{logical(spec.name)}Role", within(f"{site.prefix}-{spec.name}", ROLE_NAME)
    yield from declare_role(
        Scope(site, STACK, ("spec", "people", "roles", spec.name)),
        Role(
            logical_id=logical_id,
            name=spec.name,
            kind="person",
            trust=trust_people(spec.principals),
            grants=tuple(grants(site, extent)),
            description=f"People: {spec.name} of {site.prefix}",
            max_session=SESSION,
            role_name=name,
        ),
    )
    yield output(STACK, f"{logical_id}Arn", GetAtt(logical_id, "Arn"), f"The role for people: {spec.name}")
    yield from _arrows(site, f"person:{spec.name}", spec.name, extent)
    yield _command(site, spec.name, name)


def _arrows(site: Site, person: str, name: str, extent: Reach) -> Iterator[Declaration]:
    built = sorted({each.image.name for each in site.workloads if each.image})
    pushed = built if extent.pushes == ALL else extent.pushes
    deployed = [each.name for each in long_running(site)] if extent.deploys == ALL else extent.deploys
    yield FlowNode(person, name, "person")
    yield from (FlowEdge(f"prefix:{each}", person, "reads") for each in extent.reads)
    yield from (FlowEdge(person, f"prefix:{each}", "writes") for each in extent.writes)
    yield from (FlowEdge(person, f"image:{each}", "pushes") for each in pushed)
    yield from (FlowEdge(person, each, "deploys") for each in deployed)
    yield from (FlowEdge(person, each, "runs") for each in extent.runs)
    yield from (FlowEdge(person, f"model:{each}", "promotes") for each in extent.promotes)


def _command(site: Site, name: str, role_name: str) -> Command:
    account = '"$(aws sts get-caller-identity --query Account --output text)"'
    profile = f"aws configure set profile.{role_name}"
    role = f"arn:{partition(site.region)}:iam::{account}:role{role_path(site, STACK)}{role_name}"
    return Command(
        "People",
        f"Work as {name} in {site.environment}",
        (
            f"{profile}.role_arn {role}",
            f"{profile}.source_profile default",
            f"{profile}.mfa_serial ARN_OF_YOUR_MFA_DEVICE",
            f"aws sts get-caller-identity --profile {role_name}",
        ),
    )
