"""Secrets by reference: ECS reads them when it starts a task, and no file holds a value."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Sub

from mlopsgen.components.base import Binding, Component, Site
from mlopsgen.plan import Grant, Part
from mlopsgen.spec.workload import SecretSpec, WorkloadSpec


class Secrets(Component):
    """Secrets exist already; a workload that names one gets to read that one."""

    def declare(self, site: Site) -> Iterator[Part]:
        yield from ()

    def bind(self, site: Site, workload: WorkloadSpec, stack: str) -> Binding:
        """The execution role reads each secret, and decrypts it through its service alone."""
        secrets = sorted(workload.secrets, key=lambda each: each.name)
        return Binding(
            secrets=tuple((each.name, _value_from(each)) for each in secrets),
            execution_grants=tuple(grant for each in secrets for grant in _grants(each)),
        )


def _value_from(secret: SecretSpec) -> str:
    """ECS's form for one key of a JSON secret: the ARN, the key, and two empty fields for the version."""
    return f"{secret.value_from}:{secret.key}::" if secret.key else secret.value_from


def _grants(secret: SecretSpec) -> Iterator[Grant]:
    _, partition, service, region, account, _ = secret.value_from.split(":", 5)
    parameter = service == "ssm"
    action = "ssm:GetParameters" if parameter else "secretsmanager:GetSecretValue"
    yield Grant((action,), (secret.value_from,), f"read secret {secret.name}")
    context = "PARAMETER_ARN" if parameter else "SecretARN"
    yield Grant(
        ("kms:Decrypt",),
        (f"arn:{partition}:kms:{region}:{account}:key/*",),
        f"decrypt secret {secret.name}",
        (
            ("StringEquals", f"kms:EncryptionContext:{context}", secret.value_from),
            ("StringEquals", "kms:ViaService", Sub(f"{service}.{region}.${{AWS::URLSuffix}}")),
        ),
    )
