"""Roles and policies: what is attached, and statements that never hold."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from mlopsgen.aws.iam_actions import service
from mlopsgen.motion.live import Live
from mlopsgen.motion.rule import Event, Said, on
from mlopsgen.motion.stacks import Json

_ROLE = "AWS::IAM::Role"
_POLICY = "AWS::IAM::ManagedPolicy"


@on(
    "policy-in-use",
    "left-over",
    ("delete",),
    (_POLICY, _ROLE),
    instead="deploy the stacks that use it without it first",
    source="IAM API reference, DeletePolicy and DeleteRole: DeleteConflict while it is "
    "attached, or a boundary",
)
def _in_use(event: Event) -> Iterator[Said]:
    """A policy stays as long as a role has it, also as its boundary; a role, as long as a profile has it."""
    old = event.old
    names = [old.id]
    if old.type == _POLICY and (name := old.word("ManagedPolicyName")):
        names.append(f":policy{old.word('Path') or '/'}{name}")
    for each in event.world.of(_ROLE, "AWS::IAM::InstanceProfile"):
        attached = str([each.at(name) for name in ("ManagedPolicyArns", "PermissionsBoundary", "Roles")])
        if each is not old and any(name in attached for name in names):
            yield Said(f"{each.title} still has it")
            return


@on(
    "condition-never-holds",
    "silent",
    ("create", "update", "replace"),
    (_ROLE, _POLICY),
    instead="a statement of its own for these actions, without the condition",
    source="AWS's service authorization reference: the condition keys of each action",
)
def _never(event: Event) -> Iterator[Said]:
    """A condition on a key that the request does not carry is false: the statement allows nothing."""
    if event.trigger == "update" and not event.changed("Policies", "PolicyDocument"):
        return
    for statement in statements(event.new):
        if statement.get("Effect") != "Allow":
            continue
        for key in _own_keys(statement):
            known = service(key.partition(":")[0])
            for action in words(statement.get("Action")):
                name = action.partition(":")[2].lower()
                fact = known.actions.get(name) if known and action.startswith(f"{known.name}:") else None
                if fact and fact.keys is not None and not any(_is(key, each) for each in fact.keys):
                    yield Said(f"{action} carries no {key}: the statement never allows it")


def _is(key: str, known: str) -> bool:
    """Whether a key is one of AWS's, whose own parts may be a name of the user's: `ecs:tag/${TagKey}`."""
    fixed, variable, _ = known.lower().partition("${")
    if variable:
        return key.lower().startswith(fixed)
    return key.lower() == fixed or ("/" in fixed and key.lower().startswith(fixed.partition("/")[0] + "/"))


@on(
    "trust-never-holds",
    "silent",
    ("create", "update", "replace"),
    (_ROLE,),
    instead="trust ecs.amazonaws.com without a condition, as the page on this role does",
    source='Amazon ECS developer guide, "Amazon ECS infrastructure IAM role": its trust has no condition',
)
def _trust(event: Event) -> Iterator[Said]:
    """ECS is not known to send whom it works for when it assumes an infrastructure role."""
    if event.trigger == "update" and not event.changed("AssumeRolePolicyDocument"):
        return
    trust = event.new.at("AssumeRolePolicyDocument", "Statement")
    for each in trust if isinstance(trust, list) else ():
        condition = str(each.get("Condition")) if isinstance(each, dict) else ""
        principal = str(each.get("Principal")) if isinstance(each, dict) else ""
        if "ecs.amazonaws.com" in principal and "aws:Source" in condition:
            yield Said("its trust asks for aws:Source…", assumption="ECS sends no aws:Source… for this role")


@on(
    "provider-exists",
    "fails",
    ("create",),
    ("AWS::IAM::OIDCProvider",),
    instead="use the one that is there",
    source="IAM API reference, CreateOpenIDConnectProvider: EntityAlreadyExists",
)
def _provider(event: Event) -> Iterator[Said]:
    """An account has one identity provider for a URL."""
    url = event.new.word("Url")
    yield Said(f"it is made for {url}", assumption=f"the account has an identity provider for {url}")


def statements(live: Live) -> Iterator[dict[str, Json]]:
    """The statements of a role's own policies, or of a managed policy."""
    documents = [each.get("PolicyDocument") for each in live.maps("Policies")]
    for document in [*documents, live.at("PolicyDocument")]:
        found = document.get("Statement") if isinstance(document, dict) else None
        for each in found if isinstance(found, list) else [found]:
            if isinstance(each, dict):
                yield each


def words(value: Json) -> list[str]:
    """One word or several, as policies write them."""
    return [str(each) for each in value] if isinstance(value, list) else [] if value is None else [str(value)]


def allows(role: Live, action: str) -> bool:
    """Whether a role's own policies allow an action on anything."""
    return any(
        each.get("Effect") == "Allow"
        and any(fnmatchcase(action.lower(), word.lower()) for word in words(each.get("Action")))
        for each in statements(role)
    )


def _own_keys(statement: dict[str, Json]) -> list[str]:
    """The condition keys of single services that must be in a request for the statement to hold."""
    condition = statement.get("Condition")
    return [
        key
        for operator, tests in (condition.items() if isinstance(condition, dict) else ())
        if not operator.endswith("IfExists")
        and "Null" not in operator
        and "Not" not in operator
        and not operator.startswith("For")
        for key in (tests if isinstance(tests, dict) else ())
        if not key.startswith("aws:")
    ]
