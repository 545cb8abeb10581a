"""ARNs of things that exist already: each of the kind that its place asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mlopsgen.checks.ingress import ingresses
from mlopsgen.checks.references import workloads
from mlopsgen.checks.rule import Finding, Scene, rule
from mlopsgen.source.node import Path

# Secrets Manager ends each ARN with a hyphen and six characters of its own; a policy must name them (AWS
# Secrets Manager user guide, "What's in a Secrets Manager secret?").
_SECRET = re.compile(r"secret:[A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}")
_PARAMETER = re.compile(r"parameter/[A-Za-z0-9/_.-]+")
_PRINCIPAL = re.compile(r"root|(role|user)/[\w+=,.@/-]+")


# AWS General Reference, "Amazon Resource Names": by the start of the region's name.
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


def _parts(arn: str) -> tuple[str, str, str, str]:
    """(service, region, account, resource)."""
    _, _, service, region, account, resource = arn.split(":", 5)
    return service, region, account, resource


def _named(scene: Scene) -> Iterator[tuple[Path, str]]:
    """Every ARN of the pipeline with its path."""
    spec = scene.site.spec
    if spec.aws.permissions_boundary:
        yield ("spec", "aws", "permissionsBoundary"), spec.aws.permissions_boundary
    for path, workload in workloads(scene):
        for index, secret in enumerate(workload.secrets):
            yield (*path, "secrets", index, "valueFrom"), secret.value_from
    for path, _, ingress in ingresses(scene):
        if ingress.certificate:
            yield (*path, "certificate"), ingress.certificate
    for place, role in enumerate(spec.access.roles):
        for number, arn in enumerate(role.principals):
            yield ("spec", "access", "roles", place, "principals", number), arn


@rule("E242")
def arns_of_another_partition(scene: Scene) -> Iterable[Finding]:
    """AWS's partitions know nothing of each other."""
    region = scene.site.spec.aws.region
    own = next((name for start, name in PARTITIONS.items() if region.startswith(start)), "aws")
    for path, arn in _named(scene):
        given = arn.split(":")[1]
        if given != own:
            message = f"the ARN is of partition `{given}`, and {region} is in `{own}`"
            yield Finding(path, message, f"name one that begins with `arn:{own}:`")


@rule("E240")
def secret_arns(scene: Scene) -> Iterable[Finding]:
    """A secret is one of Secrets Manager, named in full, or a parameter of SSM."""
    for path, workload in workloads(scene):
        for index, secret in enumerate(workload.secrets):
            at = (*path, "secrets", index)
            service, region, account, resource = _parts(secret.value_from)
            if service not in ("secretsmanager", "ssm"):
                yield Finding(
                    (*at, "valueFrom"),
                    f"an ARN of {service} is no secret",
                    "name a secret of Secrets Manager, or a parameter of SSM",
                )
            elif not region or not account:
                missing = "account" if region else "region"
                help_ = "copy the whole ARN, as `aws` prints it"
                yield Finding((*at, "valueFrom"), f"the ARN names no {missing}", help_)
            elif service == "secretsmanager" and not _SECRET.fullmatch(resource):
                yield Finding(
                    (*at, "valueFrom"),
                    "the ARN of a secret ends with a hyphen and six characters that AWS gave it",
                    "`aws secretsmanager describe-secret --secret-id NAME --query ARN` prints it; for one "
                    "key of a JSON secret use `key`",
                )
            elif service == "ssm" and not _PARAMETER.fullmatch(resource):
                yield Finding(
                    (*at, "valueFrom"), "the ARN names no parameter", "it ends with `parameter/NAME`"
                )
            elif service == "ssm" and secret.key:
                message = "only a secret of Secrets Manager has keys"
                yield Finding((*at, "key"), message, "take `key` away: the parameter's whole value is used")


@rule("E241")
def other_arns(scene: Scene) -> Iterable[Finding]:
    """A certificate, a permissions boundary and a principal are ARNs of their kind, and in reach."""
    aws = scene.site.spec.aws
    if aws.permissions_boundary:
        service, _, account, resource = _parts(aws.permissions_boundary)
        boundary = ("spec", "aws", "permissionsBoundary")
        if service != "iam" or not resource.startswith("policy/"):
            help_ = "name a managed policy: arn:aws:iam::ACCOUNT:policy/NAME"
            yield Finding(boundary, "a permissions boundary is a managed policy", help_)
        elif aws.account and account not in (aws.account, "aws"):
            yield Finding(boundary, f"the policy is in account {account}, not in {aws.account}", None)
    for path, _, ingress in ingresses(scene):
        if not ingress.certificate:
            continue
        service, region, account, resource = _parts(ingress.certificate)
        at = (*path, "certificate")
        if service == "iam" and resource.startswith("server-certificate/"):
            continue
        if service != "acm" or not resource.startswith("certificate/"):
            help_ = f"such as arn:aws:acm:{aws.region}:ACCOUNT:certificate/ID"
            yield Finding(at, "this is no ARN of a certificate", help_)
        elif region != aws.region:
            yield Finding(
                at,
                f"the certificate is in {region or 'no region'}, the load balancer in {aws.region}",
                f"request it in {aws.region}",
            )
        elif aws.account and account != aws.account:
            message = f"the certificate is in account {account}, the load balancer in {aws.account}"
            yield Finding(at, message, f"request it in {aws.account}")
    for index, role in enumerate(scene.site.spec.access.roles):
        for number, arn in enumerate(role.principals):
            service, _, account, resource = _parts(arn)
            if service != "iam" or not account.isdigit() or not _PRINCIPAL.fullmatch(resource):
                yield Finding(
                    ("spec", "access", "roles", index, "principals", number),
                    "nobody can be this: a principal is a role, a user or an account",
                    "such as arn:aws:iam::ACCOUNT:role/NAME, or arn:aws:iam::ACCOUNT:root",
                )
