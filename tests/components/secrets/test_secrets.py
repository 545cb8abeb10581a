"""Secrets as ECS reads them, and as nobody else does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan, service
from tests.policies import may, properties, statements

HERE = "ap-southeast-1:123456789012"
OTHER = "arn:aws:secretsmanager:ap-southeast-1:210987654321:secret:team/key-AbCdEf"

SECRETS = f"""\
{{
  NAMED: {{secret: team/key}},
  ONE_KEY: {{secretKeyRef: {{name: db, key: password}}}},
  PLAIN: {{parameter: /team/url}},
  THEIRS: {{secret: "{OTHER}"}},
  THEIR_KEY: {{secretKeyRef: {{name: "{OTHER}", key: token}}}}
}}"""

DELIVERY = "  delivery: {github: {repository: acme/demo}}\n"


@pytest.fixture(scope="module")
def api() -> Plan:
    return plan(service(secrets=SECRETS), DELIVERY)


@pytest.fixture(scope="module")
def own(api: Plan) -> list[dict[str, Any]]:
    return statements(api, "serving-api", "ExecutionRole")


def test_each_secret_is_named_as_ecs_takes_it(api: Plan):
    """ECS wants an ARN: whole if it was given, without AWS's six characters for a name."""
    container = properties(api, "serving-api", "TaskDefinition")["ContainerDefinitions"][0]
    assert {each["Name"]: each["ValueFrom"] for each in container["Secrets"]} == {
        "NAMED": f"arn:aws:secretsmanager:{HERE}:secret:team/key",
        "ONE_KEY": f"arn:aws:secretsmanager:{HERE}:secret:db:password::",
        "PLAIN": f"arn:aws:ssm:{HERE}:parameter/team/url",
        "THEIRS": OTHER,
        "THEIR_KEY": f"{OTHER}:token::",
    }


def test_a_secret_by_its_name_is_read_whatever_aws_adds_to_it(own: list[dict[str, Any]]):
    """The policy matches the six characters, and no other secret whose name begins alike."""
    secret = f"arn:aws:secretsmanager:{HERE}:secret:team/key"
    assert may(own, "secretsmanager:GetSecretValue", f"{secret}-AbCdEf")
    assert not may(own, "secretsmanager:GetSecretValue", f"{secret}-of-all-AbCdEf")
    assert not may(own, "secretsmanager:GetSecretValue", f"{secret}-AbCdEfG")
    assert not may(own, "secretsmanager:PutSecretValue", f"{secret}-AbCdEf")


def test_parameters_and_whole_arns_are_read_alone(own: list[dict[str, Any]]):
    """A parameter and a secret of another account are exactly those that are named."""
    assert may(own, "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/team/url")
    assert not may(own, "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/team/url2")
    assert may(own, "secretsmanager:GetSecretValue", OTHER)


def test_a_key_decrypts_the_secret_and_nothing_else(own: list[dict[str, Any]]):
    """Through its service, in the context of that secret: what else the key holds stays closed."""
    key = f"arn:aws:kms:{HERE}:key/1"
    via = {"kms:ViaService": "secretsmanager.ap-southeast-1.amazonaws.com"}
    context = "kms:EncryptionContext:SecretARN"
    secret = f"arn:aws:secretsmanager:{HERE}:secret"
    assert may(own, "kms:Decrypt", key, via | {context: f"{secret}:team/key-AbCdEf"})
    assert not may(own, "kms:Decrypt", key, via | {context: f"{secret}:other-AbCdEf"})
    assert not may(own, "kms:Decrypt", key, {context: f"{secret}:team/key-AbCdEf"})
    theirs = "arn:aws:kms:ap-southeast-1:210987654321:key/1"
    assert may(own, "kms:Decrypt", theirs, via | {context: OTHER})
    assert not may(own, "kms:Decrypt", theirs, via | {context: f"{secret}:team/key-AbCdEf"})


def test_the_program_itself_reads_no_secret(api: Plan):
    """ECS reads them when the task starts; the task's own role does not."""
    program = str(statements(api, "serving-api", "TaskRole"))
    assert "secretsmanager" not in program
    assert "ssm" not in program


def test_the_boundary_holds_what_the_secrets_need(api: Plan):
    """Also those of another account, and the keys of both."""
    boundary = properties(api, "access", "Boundary")["PolicyDocument"]["Statement"]
    via = {"kms:ViaService": "secretsmanager.ap-southeast-1.amazonaws.com"}
    assert may(boundary, "secretsmanager:GetSecretValue", OTHER)
    assert may(boundary, "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/team/url")
    assert may(boundary, "kms:Decrypt", f"arn:aws:kms:{HERE}:key/1", via)
    assert not may(boundary, "kms:Decrypt", f"arn:aws:kms:{HERE}:key/1")


def test_the_boundary_opens_the_secrets_that_are_named_and_no_others(api: Plan):
    """Whoever can deploy makes roles in it: none of them may reach what other teams keep in the account."""
    boundary = properties(api, "access", "Boundary")["PolicyDocument"]["Statement"]
    for action, resource in (
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:payroll-AbCdEf"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:team/key-of-all-AbCdEf"),
        ("secretsmanager:GetSecretValue", OTHER.replace("team/key", "team/token")),
        ("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/team/url2"),
        ("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/other/env/key-arn"),
    ):
        assert not may(boundary, action, resource), resource


@pytest.mark.parametrize("count", [30, 300])
def test_of_very_many_secrets_those_that_begin_alike_stand_as_one_in_the_boundary(count: int):
    """A managed policy has 6,144 characters for all workloads together, whatever they name."""
    many = plan(service(secrets=secrets(count).replace("}}", "}, P: {parameter: /team/url}}")), DELIVERY)
    boundary = properties(many, "access", "Boundary")["PolicyDocument"]
    assert len(json.dumps(boundary, separators=(",", ":"))) <= 6144
    secret, read = f"arn:aws:secretsmanager:{HERE}:secret", "secretsmanager:GetSecretValue"
    for number in range(count):
        assert may(boundary["Statement"], read, f"{secret}:team/s{number}-AbCdEf")
    assert not may(boundary["Statement"], read, f"{secret}:payroll-AbCdEf")
    assert not may(boundary["Statement"], read, f"{secret}:team/key-AbCdEf")
    assert not may(boundary["Statement"], "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/team/url2")


def test_names_with_nothing_in_common_fit_into_the_boundary_too():
    names = [f"{chr(97 + number % 26)}{number:03}/" + "x" * 60 for number in range(80)]
    named = ", ".join(f'S{number}: {{secret: "{name}"}}' for number, name in enumerate(names))
    many = plan(service(secrets=f"{{{named}}}"), DELIVERY)
    boundary = properties(many, "access", "Boundary")["PolicyDocument"]
    assert len(json.dumps(boundary, separators=(",", ":"))) <= 6144
    for name in names:
        secret = f"arn:aws:secretsmanager:{HERE}:secret:{name}-AbCdEf"
        assert may(boundary["Statement"], "secretsmanager:GetSecretValue", secret)
    others = f"arn:aws:secretsmanager:{HERE}:secret:_/payroll-AbCdEf"
    assert not may(boundary["Statement"], "secretsmanager:GetSecretValue", others)


def test_many_secrets_are_few_statements():
    """A template takes 51,200 bytes, so each costs its ARNs and no statement of its own."""
    few, many = (
        statements(plan(service(secrets=secrets(count))), "serving-api", "ExecutionRole") for count in (2, 30)
    )
    assert len(many) == len(few)
    assert may(many, "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:team/s29-AbCdEf")
    assert not may(
        many, "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:team/s30-AbCdEf"
    )


def secrets(count: int) -> str:
    return f"{{{', '.join(f'S{number}: {{secret: team/s{number}}}' for number in range(count))}}}"
