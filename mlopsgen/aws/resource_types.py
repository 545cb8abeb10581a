"""CloudFormation's resource types: tags, permissions, what replaces, what holds data, what has a name.

The table beside this file is made by `python -m mlopsgen.aws.refresh types` from the registry's schemas
(CloudFormation CLI user guide, "Resource type schema"), as cfn-lint carries them. What they do not say is
written out here, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

TABLE = Path(__file__).with_name("resource_types.txt")

SOURCE = "The registry's schemas of CloudFormation, as in cfn-lint "
"""How the table's first line begins; the version follows."""

Operation: TypeAlias = Literal["create", "read", "update", "delete", "list"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)

TagForm: TypeAlias = Literal["list", "map", "propagated", "specifications", "items"]
"""How a property holds tags.

`list`: items of Key and Value. `map`: a value for each key. `propagated`: a list whose items also say
PropagateAtLaunch. `specifications`: lists of tags, each for a ResourceType. `items`: a list in `Items`.
"""


class TagProperty(NamedTuple):
    """The property in which a resource type takes its tags."""

    name: str
    form: TagForm
    on_create: bool
    """Whether a new resource has its tags at once; they may still come with a second call."""
    updatable: bool
    """Whether tags can change while the resource stays."""
    system: bool
    """Whether CloudFormation adds tags that nobody else can: `aws:cloudformation:stack-name` and others."""


class Handler(NamedTuple):
    """What CloudFormation runs for one operation, with the permissions of whoever deploys."""

    operation: Operation
    permissions: tuple[str, ...]
    """IAM actions, sorted."""
    minutes: int | None = None
    """How long it may take, where the schema says so."""


class ResourceType(NamedTuple):
    """One resource type. Properties are paths as `AutoScalingGroupProvider/AutoScalingGroupArn`.

    `*` in a path stands for each item of a list.
    """

    name: str
    tags: TagProperty | None
    """None if it takes no tags, or takes them in a way of its own, as launch templates do."""
    identifier: tuple[str, ...]
    """What together tells one resource from all others, in the registry's order."""
    names: frozenset[str]
    """The create-only properties that name it. No two can have one name, not even the old and the new."""
    required: frozenset[str]
    create_only: frozenset[str]
    """A change of one replaces the resource."""
    maybe_create_only: frozenset[str]
    """A change of one replaces the resource in some cases."""
    read_only: frozenset[str]
    write_only: frozenset[str]
    deletes_first: bool
    """Whether the old one is deleted before the new one is there; elsewhere it is the other way round."""
    handlers: tuple[Handler, ...]
    """None for a type that the registry describes and CloudFormation handles in an older way."""
    data: str | None
    """What is lost with it, or None if it holds nothing that the template does not."""

    @property
    def service(self) -> str:
        """The second part of its name."""
        return self.name.split("::")[1]

    @property
    def updatable(self) -> bool:
        """Whether anything of it can be changed in place."""
        return not self.handlers or any(each.operation == "update" for each in self.handlers)

    def permissions(self, *operations: Operation) -> frozenset[str]:
        """The IAM actions that `operations` take."""
        return frozenset(
            action for each in self.handlers if each.operation in operations for action in each.permissions
        )


_DATA = {
    "AWS::Backup::BackupVault": "recovery points",
    "AWS::Backup::LogicallyAirGappedBackupVault": "recovery points",
    "AWS::CloudFront::KeyValueStore": "the pairs that functions read",
    "AWS::EC2::Instance": "its root volume, which goes with it",
    "AWS::EC2::Volume": "a file system",
    "AWS::ECR::PublicRepository": "images",
    "AWS::ECR::Repository": "images, among them those that run",
    "AWS::EFS::FileSystem": "files",
    "AWS::Events::Archive": "events",
    "AWS::KMS::Key": "the key to everything that it has encrypted",
    "AWS::KMS::ReplicaKey": "the key to everything that it has encrypted",
    "AWS::Logs::LogGroup": "logs",
    "AWS::Logs::LogStream": "logs",
    "AWS::Route53::HostedZone": "records that others have made, and the name servers of the domain",
    "AWS::S3::Bucket": "objects",
    "AWS::SQS::Queue": "messages that nobody has handled yet",
    "AWS::SecretsManager::Secret": "a secret that is nowhere else",
}
"""What is lost with a resource of the type, unless it is kept.

Not here, since the template has all of it: SNS::Topic (it keeps no messages; who subscribed by e-mail has to
confirm again, which interrupts and loses nothing), SSM::Parameter (its value is in the template),
EFS::AccessPoint and EFS::MountTarget (ways to the files, which stay), CertificateManager::Certificate
(another is issued).
"""

_NAMES = {
    # A repository's prefix names the rule (Amazon ECR API reference, CreatePullThroughCacheRule).
    "AWS::ECR::PullThroughCacheRule": {"EcrRepositoryPrefix"},
    "AWS::ECR::RepositoryCreationTemplate": {"Prefix"},
    # The type ends in `Pair`, the property begins with `Key`.
    "AWS::EC2::KeyPair": {"KeyName"},
    # One for each URL and account (IAM API reference, CreateOpenIDConnectProvider: EntityAlreadyExists).
    "AWS::IAM::OIDCProvider": {"Url"},
    # Many zones can have one name (Route 53 API reference, CreateHostedZone).
    "AWS::Route53::HostedZone": set(),
}
"""Where the rule by which the table finds names is wrong: the properties instead.

TaskDefinition's Family and LayerVersion's LayerName are rightly none: another of that name is a new revision.
"""


@cache
def resource_type(name: str) -> ResourceType:
    """The type called `name`, such as `AWS::ECS::Service`; a KeyError if the table has none."""
    text, head = _text(), f"\n{name}\n"
    place = text.find(head)
    if place < 0:
        raise KeyError(name)
    facts = dict(_block(text, place + len(head)))
    return ResourceType(
        name=name,
        tags=_tags(facts.get("tags", ())),
        identifier=facts["identifier"],
        names=frozenset(_NAMES.get(name, facts.get("names", ()))),
        required=frozenset(facts.get("required", ())),
        create_only=frozenset(facts.get("create-only", ())),
        maybe_create_only=frozenset(facts.get("maybe-create-only", ())),
        read_only=frozenset(facts.get("read-only", ())),
        write_only=frozenset(facts.get("write-only", ())),
        deletes_first="deletes-first" in facts,
        handlers=tuple(_handlers(facts)),
        data=_DATA.get(name),
    )


@cache
def known(name: str) -> bool:
    """Whether there is such a type in the table: templates may hold others, by patches."""
    return f"\n{name}\n" in _text()


def type_names() -> tuple[str, ...]:
    """Every type of the table, sorted."""
    return tuple(line for line in _text().splitlines() if line[:1] not in ("#", " "))


def source_version() -> str:
    """The version of cfn-lint that the table was made from."""
    return _text().partition("\n")[0].removeprefix(f"# {SOURCE}").partition(",")[0]


def _block(text: str, start: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The facts of one type, whose first begins at `start`: a kind and its words on each indented line."""
    while text.startswith("  ", start):
        end = text.index("\n", start)
        kind, *words = text[start:end].split()
        yield kind, tuple(words)
        start = end + 1


def _handlers(facts: dict[str, tuple[str, ...]]) -> Iterator[Handler]:
    """From `handles create=2160 read` and, for each service, `ecs: CreateService=c DescribeServices=cr`."""
    takes = [
        (f"{service}{action}", letters)
        for service, actions in facts.items()
        if service.endswith(":")
        for action, _, letters in (each.partition("=") for each in actions)
    ]
    stated = dict(each.partition("=")[::2] for each in facts.get("handles", ()))
    for operation in OPERATIONS:
        if operation in stated:
            permissions = tuple(permission for permission, letters in takes if operation[0] in letters)
            minutes = int(stated[operation]) if stated[operation] else None
            yield Handler(operation, permissions, minutes)


def _tags(words: tuple[str, ...]) -> TagProperty | None:
    if not words:
        return None
    name, form, *flags = words
    assert form in get_args(TagForm), form
    return TagProperty(name, form, "create" in flags, "update" in flags, "system" in flags)  # type: ignore[arg-type]


@cache
def _text() -> str:
    return TABLE.read_text(encoding="utf-8")
