"""The role that CloudFormation works with: whether it may do what the deployment asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from mlopsgen.aws.resource_types import Operation, known, resource_type
from mlopsgen.aws.stack_scopes import WITHHELD
from mlopsgen.motion.live import Live
from mlopsgen.motion.outcome import Action
from mlopsgen.motion.rule import Ending, Said, World, closing
from mlopsgen.motion.rules.iam import statements, words

_OPERATIONS: dict[Action, tuple[Operation, ...]] = {
    "create": ("create", "read"),
    "delete": ("delete", "read"),
    "import": ("read", "update"),
    "interrupt": ("read", "update"),
    "replace": ("create", "delete", "read"),
    "update": ("read", "update"),
}


@closing(
    "deployer-lacks-right",
    "fails",
    instead="give the role the permission, by a deployment of an administrator's",
    source="CloudFormation registry, handlers of each resource type: the permissions that they need",
)
def _lacks(ending: Ending) -> Iterator[Said]:
    """CloudFormation's own role has no right that a handler needs."""
    for role in ending.after.of("AWS::IAM::Role"):
        if "cloudformation.amazonaws.com" not in str(role.at("AssumeRolePolicyDocument")):
            continue
        allowed = _allowed(role, ending.after)
        patterns = sorted(each for each in allowed if "*" in each or "?" in each)
        told: set[str] = set()
        for step in ending.steps:
            if step.stack == role.short or not known(step.type):
                continue
            needed = resource_type(step.type).permissions(*_OPERATIONS.get(step.action, ()))
            for action in sorted(needed - told):
                word = action.lower()
                given = word in allowed or any(fnmatchcase(word, each) for each in patterns)
                if not given and not _withheld(step.type, action):
                    told.add(action)
                    reason = f"it may not {action}, which {step.action} of {step.logical_id} takes"
                    assumption = f"CloudFormation works with {role.title}"
                    yield Said(f"{reason} ({step.type})", assumption=assumption, about=role)


def _allowed(role: Live, world: World) -> set[str]:
    """The actions that a role's own policies and the managed ones on it allow, in lower case."""
    attached = str(role.at("ManagedPolicyArns"))
    holders = [role, *(each for each in world.of("AWS::IAM::ManagedPolicy") if each.id in attached)]
    # A policy may also name the roles that it is for.
    holders += [each for each in world.of("AWS::IAM::ManagedPolicy") if role.ref() in each.items("Roles")]
    return {
        word.lower()
        for holder in holders
        for statement in statements(holder)
        if statement.get("Effect") == "Allow"
        for word in words(statement.get("Action"))
    }


def _withheld(name: str, action: str) -> bool:
    """Whether a permission that the registry names is not needed for what templates here make of the type."""
    return any(
        name in each.types and any(fnmatchcase(action.lower(), word.lower()) for word in each.actions)
        for each in WITHHELD
    )
