"""ARNs of things that exist already: each of the kind that its place asks for, and in reach."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mlopsgen.aws.partitions import partition
from mlopsgen.components.secrets.binding import given
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.rules.places import each, secrets
from mlopsgen.rules.registry import Scene, rule

# IAM user guide, "IAM identifiers" and "IAM and AWS STS quotas": a path of words between slashes, and a name of
# 64 characters; a managed policy's has 128.
_PRINCIPAL = re.compile(r"root|(role|user)/([\x21-\x7e]+?/)*[\w+=,.@-]{1,64}", re.ASCII)
_POLICY = re.compile(r"policy/([\x21-\x7e]+?/)*[\w+=,.@-]{1,128}", re.ASCII)
_SERVER_CERTIFICATE = re.compile(r"server-certificate/([\x21-\x7e]+?/)*[\w+=,.@-]{1,128}", re.ASCII)

_REGION: SpecPath = ("spec", "aws", "region")


class Parts(NamedTuple):
    """What an ARN says."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


def parts(arn: str) -> Parts:
    """The parts of an ARN, which the language has seen to be one."""
    return Parts(*arn.split(":", 5)[1:])


def _certificates(scene: Scene) -> Iterator[tuple[SpecPath, str]]:
    for path, balancer in each(("spec", "loadBalancers"), scene.site.spec.load_balancers):
        yield from each((*path, "certificates"), balancer.certificates)


def _queues(scene: Scene) -> Iterator[tuple[SpecPath, str]]:
    for path, queue in each(("spec", "queues"), scene.site.spec.queues):
        if queue.existing:
            yield (*path, "existing", "arn"), queue.existing.arn


def _keys(scene: Scene) -> Iterator[tuple[SpecPath, str]]:
    for path, queue in each(("spec", "queues"), scene.site.spec.queues):
        if queue.existing and queue.existing.kms_key:
            yield (*path, "existing", "kmsKey"), queue.existing.kms_key


def _principals(scene: Scene) -> Iterator[tuple[SpecPath, str]]:
    for path, role in each(("spec", "people", "roles"), scene.site.spec.people.roles):
        yield from each((*path, "principals"), role.principals)


def _secrets(scene: Scene) -> Iterator[tuple[SpecPath, str]]:
    for path, secret in secrets(scene):
        if given(secret).startswith("arn:"):
            yield path, given(secret)


def _boundary(scene: Scene) -> Iterator[tuple[SpecPath, str]]:
    if scene.site.spec.aws.permissions_boundary:
        yield ("spec", "aws", "permissionsBoundary"), scene.site.spec.aws.permissions_boundary


@rule(
    "E242",
    "an ARN of another partition",
    """AWS has partitions that know nothing of each other, such as `aws`, `aws-cn` in China, `aws-us-gov` and
    `aws-eusc`, Europe's sovereign cloud. What a pipeline names by ARN lies in the partition of its region.""",
    """
    spec:
      services:
        - {name: api, secrets: {API_KEY: {parameter: "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/key"}}}
    """,
    """
    spec:
      services:
        - {name: api, secrets: {API_KEY: {parameter: "arn:aws:ssm:eu-west-1:123456789012:parameter/key"}}}
    """,
)
def arns_of_another_partition(scene: Scene) -> Iterable[Finding]:
    """AWS's partitions know nothing of each other."""
    region, own = scene.site.region, partition(scene.site.region)
    things = (*_certificates(scene), *_queues(scene), *_keys(scene))
    named = (*_boundary(scene), *_secrets(scene), *things, *_principals(scene))
    for path, arn in named:
        if parts(arn).partition != own:
            message = f"the ARN is of partition `{parts(arn).partition}`, and {region} is in `{own}`"
            yield Finding(
                path,
                message,
                f"name one that begins with `arn:{own}:`",
                ((_REGION, "the environment's region"),),
            )


@rule(
    "E241",
    "an ARN of another kind, or out of reach",
    """A certificate is one of ACM (or IAM) in the environment's own region and account, a secret, parameter, queue
    or key lies in its region, a permissions boundary is a managed policy, and a principal an IAM role, user or
    account.""",
    """
    spec:
      loadBalancers:
        - {name: public, certificates: ["arn:aws:acm:us-east-1:123456789012:certificate/7f3c2b1a"]}
    """,
    """
    spec:
      loadBalancers:
        - {name: public, certificates: ["arn:aws:acm:eu-west-1:123456789012:certificate/7f3c2b1a"]}
    """,
)
def arns_of_another_kind(scene: Scene) -> Iterable[Finding]:
    """What is named by its ARN is of its kind, and in reach."""
    yield from _wrong_boundary(scene)
    yield from _wrong_certificates(scene)
    region = scene.site.region
    yield from _wrong_kind(scene, _queues(scene), "queue", "sqs", "NAME")
    yield from _wrong_kind(scene, _keys(scene), "key", "kms", "key/ID")
    for path, arn in _secrets(scene):
        there = parts(arn).region
        if there and there != region and parts(arn).partition == partition(scene.site.region):
            yield Finding(
                path,
                f"the {'parameter' if parts(arn).service == 'ssm' else 'secret'} lies in {there}, "
                f"the environment in {region}",
                f"copy it to {region}, where a name is enough",
                ((_REGION, "the environment's region"),),
            )
    for path, arn in _principals(scene):
        found = parts(arn)
        if found.service != "iam" or not found.account.isdigit() or not _named(_PRINCIPAL, found.resource):
            yield Finding(
                path,
                "nobody can be this: a principal is a role, a user or an account",
                "such as arn:aws:iam::ACCOUNT:role/NAME, or arn:aws:iam::ACCOUNT:root",
            )


@rule(
    "W352",
    "a secret of another account",
    """A secret of another account than the environment's can be read once its owner lets this account's roles do
    so, in the secret's own policy and in that of its KMS key, which must not be the one of AWS (AWS Secrets
    Manager user guide, "Access AWS Secrets Manager secrets from a different account").""",
    """
    spec:
      aws: {account: "123456789012"}
      services:
        - name: api
          secrets: {API_KEY: {secret: "arn:aws:secretsmanager:eu-west-1:999999999999:secret:key-a1B2c3"}}
    """,
    """
    spec:
      aws: {account: "123456789012"}
      services: [{name: api, secrets: {API_KEY: {secret: key}}}]
    """,
)
def secrets_of_another_account(scene: Scene) -> Iterable[Finding]:
    """A secret lies in the environment's own account."""
    account = scene.site.spec.aws.account
    for path, arn in _secrets(scene):
        owner = parts(arn).account
        if account and owner and owner != account:
            yield Finding(
                path,
                f"this lies in account {owner}, the environment in {account}",
                f"its policy and its key's must let {account} read it; or keep one there, where a name is enough",
                ((("spec", "aws", "account"), "the environment's account"),),
            )


def _named(form: re.Pattern[str], resource: str) -> bool:
    """Whether IAM could have it: no name is empty, and none is between two slashes."""
    return form.fullmatch(resource) is not None and "//" not in resource


def _wrong_boundary(scene: Scene) -> Iterator[Finding]:
    account = scene.site.spec.aws.account
    for path, arn in _boundary(scene):
        found = parts(arn)
        if found.service != "iam" or not _named(_POLICY, found.resource):
            help_ = "name a managed policy: arn:aws:iam::ACCOUNT:policy/NAME"
            yield Finding(path, "a permissions boundary is a managed policy", help_)
        elif account and found.account not in (account, "aws"):
            yield Finding(path, f"the policy is in account {found.account}, not in {account}", None)


def _wrong_kind(
    scene: Scene, named: Iterable[tuple[SpecPath, str]], what: str, service: str, form: str
) -> Iterator[Finding]:
    """Of what lies in the environment's region: ARNs of another service, and of another region."""
    region = scene.site.region
    for path, arn in named:
        found = parts(arn)
        start = form.partition("/")[0] + "/" if "/" in form else ""
        if found.service != service or not found.resource.startswith(start) or not found.account.isdigit():
            help_ = f"such as arn:{partition(region)}:{service}:{region}:ACCOUNT:{form}"
            yield Finding(path, f"this is no ARN of a {what}", help_)
        elif found.region != region and found.partition == partition(region):
            yield Finding(
                path,
                f"the {what} lies in {found.region or 'no region'}, the environment in {region}",
                f"name one of {region}",
                ((_REGION, "the environment's region"),),
            )


def _wrong_certificates(scene: Scene) -> Iterator[Finding]:
    aws = scene.site.spec.aws
    first: dict[SpecPath, tuple[SpecPath, str, str]] = {}
    for path, arn in _certificates(scene):
        found = parts(arn)
        own = found.service == "iam" and _named(_SERVER_CERTIFICATE, found.resource)
        first_path, first_account, first_arn = first.setdefault(path[:-1], (path, found.account, arn))
        if first_path != path and first_arn == arn:
            yield Finding(
                path, "the certificate is given twice", "take one away", ((first_path, "here too"),)
            )
        elif not own and (found.service != "acm" or not found.resource.startswith("certificate/")):
            help_ = f"such as arn:aws:acm:{aws.region}:ACCOUNT:certificate/ID"
            yield Finding(path, "this is no ARN of a certificate", help_)
        elif not own and found.region != aws.region:
            yield Finding(
                path,
                f"the certificate is in {found.region or 'no region'}, the load balancer in {aws.region}",
                f"request it in {aws.region}",
                ((_REGION, "the environment's region"),),
            )
        elif aws.account and found.account != aws.account:
            yield Finding(
                path,
                f"the certificate is in account {found.account}, the load balancer in {aws.account}",
                f"request it in {aws.account}",
                ((("spec", "aws", "account"), "the environment's account"),),
            )
        elif not aws.account and found.account != first_account:
            yield Finding(
                path,
                f"the certificate is in account {found.account}, and another one in {first_account}",
                "a load balancer takes those of its own account",
                ((first_path, "the other one"),),
            )
