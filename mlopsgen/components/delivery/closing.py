"""The role with which CloudFormation deploys: its rights follow from all that the other stacks hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from troposphere import GetAtt

from mlopsgen.components.delivery.resources import STACK
from mlopsgen.components.delivery.stack_rights import StackReach, stack_rights
from mlopsgen.model.plan import Declaration, Resource
from mlopsgen.model.site import Site
from mlopsgen.parts.resource import Scope, output
from mlopsgen.parts.roles import Role, boundary, declare_role, trust_service


def declare(site: Site, resources: Iterable[Resource]) -> Iterator[Declaration]:
    """CloudFormation's role, if a workflow deploys. The stack that holds it is an administrator's."""
    bounds = boundary(site)
    if not site.delivers or bounds is None:
        return
    deployed = ((each.type, each.properties) for each in resources if each.stack != STACK)
    yield from declare_role(
        Scope(site, STACK, ("spec", "delivery", "github")),
        Role(
            logical_id="StackRole",
            name="CloudFormation, for the delivery workflow",
            kind="delivery",
            trust=trust_service("cloudformation.amazonaws.com", site),
            grants=stack_rights(deployed, StackReach(site.name, site.environment, bounds, STACK)),
            description=f"CloudFormation: deploys the stacks of {site.prefix}",
            role_name=site.stack_role,
            deploys=True,
        ),
    )
    yield output(
        STACK, "StackRoleArn", GetAtt("StackRole", "Arn"), "The role that CloudFormation deploys with"
    )
