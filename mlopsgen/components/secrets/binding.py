"""Secrets by reference: the execution role reads each one that a workload names, and no other.

A secret goes by its name or by its ARN. ECS wants the form of an ARN, and Secrets Manager finds a secret by
an ARN without the six characters that it added (AWS Secrets Manager user guide, "Find secrets by ARN or
name"); a policy has a `?` for each of them, since a `*` would match other names too (the same guide,
"Example: Permission to read specific secrets").
"""

from __future__ import annotations

import re
from typing import NamedTuple

from troposphere import Sub

from mlopsgen.components.workloads.spec import SecretSpec
from mlopsgen.model.binding import Binding, Contribution
from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Value
from mlopsgen.model.workload import Workload
from mlopsgen.parts.policies import arn

SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
"""What Secrets Manager adds to a secret's name in its ARN."""

_CONTEXTS = {"secretsmanager": "SecretARN", "ssm": "PARAMETER_ARN"}
"""The key of the encryption context in which each service decrypts (the services' user guides on KMS)."""

_READS = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameters"}


class SecretSource(NamedTuple):
    """Where a secret lies."""

    service: str
    """`secretsmanager` or `ssm`."""
    value_from: Value
    """How a task definition names it."""
    pattern: Value
    """How a policy names it."""
    keys: Value
    """The KMS keys that it may be encrypted with."""
    operator: str = "StringEquals"
    """How a condition compares `pattern`."""


def bind(site: Site, workload: Workload) -> Binding:
    """Each secret in the variable that asks for it, and what ECS needs to read and decrypt it."""
    sources = [(name, source(each)) for name, each in sorted(workload.spec.secrets.items())]
    grants = tuple(grant for name, each in sources for grant in (_read(name, each), _decrypt(name, each)))
    return Binding(
        secrets=tuple((name, each.value_from) for name, each in sources),
        execution_grants=grants,
        services=tuple(sorted({*(each.service for _, each in sources), *(["kms"] if sources else [])})),
        contributions=tuple(bound for _, each in sources for bound in _bounds(each)),
    )


def service(secret: SecretSpec) -> str:
    """Who keeps it: `secretsmanager` or `ssm`."""
    return "ssm" if secret.parameter is not None else "secretsmanager"


def given(secret: SecretSpec) -> str:
    """The name or ARN that stands in the file."""
    reference = secret.secret_key_ref
    return secret.parameter or secret.secret or (reference.name if reference else "")


def source(secret: SecretSpec) -> SecretSource:
    """The forms of a secret's reference."""
    word, kind = given(secret), service(secret)
    key = f":{secret.secret_key_ref.key}::" if secret.secret_key_ref else ""
    if word.startswith("arn:"):
        _, partition, _, region, account, _ = word.split(":", 5)
        return SecretSource(kind, f"{word}{key}", word, f"arn:{partition}:kms:{region}:{account}:key/*")
    keys = arn("kms", "key/*")
    if kind == "ssm":
        # A `/` at the start of a parameter's name is not doubled in its ARN (AWS Systems Manager user guide,
        # "Restricting access to Parameter Store parameters using IAM policies").
        parameter = arn(kind, f"parameter/{word.removeprefix('/')}")
        return SecretSource(kind, parameter, parameter, keys)
    pattern = arn(kind, f"secret:{word}-??????")
    return SecretSource(kind, arn(kind, f"secret:{word}{key}"), pattern, keys, "StringLike")


def _read(name: str, each: SecretSource) -> Grant:
    return Grant((_READS[each.service],), (each.pattern,), f"read secret {name}")


def _decrypt(name: str, each: SecretSource) -> Grant:
    """Through its service, in the context of this secret alone."""
    context = f"kms:EncryptionContext:{_CONTEXTS[each.service]}"
    return Grant(
        ("kms:Decrypt",),
        (each.keys,),
        f"decrypt secret {name}",
        ((each.operator, context, each.pattern), _via(each)),
    )


def _bounds(each: SecretSource) -> tuple[Contribution, ...]:
    """What the boundary must hold: this secret, and the keys of secrets through their service alone."""
    return (
        Contribution("boundary", Grant((_READS[each.service],), (each.pattern,), "secrets"), named=True),
        Contribution("boundary", Grant(("kms:Decrypt",), (each.keys,), "keys of secrets", (_via(each),))),
    )


def _via(each: SecretSource) -> tuple[str, str, Value]:
    return "StringEquals", "kms:ViaService", Sub(f"{each.service}.${{AWS::Region}}.${{AWS::URLSuffix}}")
