"""Secrets stand in Secrets Manager or SSM, and are named as ECS finds them; none stands in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.components.secrets.binding import SUFFIX, given
from mlopsgen.components.workloads.spec import WorkloadSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.rules.places import each, secrets, workloads
from mlopsgen.rules.registry import Scene, rule

# Secrets Manager ends each ARN with a hyphen and six characters of its own; a policy must name them (AWS
# Secrets Manager user guide, "What's in a Secrets Manager secret?").
_SECRET = re.compile(r"secret:[A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+")
_PARAMETER = re.compile(r"parameter/[A-Za-z0-9/_.-]+")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9/_.-]+")

_PRINTS = "`aws secretsmanager describe-secret --secret-id NAME --query ARN` prints it"


@rule(
    "E240",
    "no name and no ARN of a secret",
    """A secret of this account and region goes by its name, any other by its whole ARN, with the six
    characters that AWS ends it with. A name that itself ends with a hyphen and six characters needs the ARN:
    Secrets Manager takes them for its own (AWS Secrets Manager user guide, "Troubleshoot"). One key of a JSON
    secret is named in `secretKeyRef`, a parameter of SSM in `parameter`.""",
    """
    spec:
      services:
        - {name: api, secrets: {API_KEY: {secret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key"}}}
    """,
    """
    spec:
      services:
        - {name: api, secrets: {API_KEY: {secret: team/key}}}
    """,
)
def secret_references(scene: Scene) -> Iterable[Finding]:
    """A secret is one of Secrets Manager or a parameter of SSM, by its name or in full."""
    for at, secret in secrets(scene):
        word, parameter = given(secret), secret.parameter is not None
        found = _arn(word, parameter) if word.startswith("arn:") else _name(word, parameter)
        if found:
            yield Finding(at, *found)


def _name(word: str, parameter: bool) -> tuple[str, str] | None:
    """What is wrong with a name, and what to do."""
    if parameter:
        fine = _PARAMETER_NAME.fullmatch(word)
        return None if fine else (f"`{word}` is no name of a parameter", "such as `/team/key`")
    if not _SECRET_NAME.fullmatch(word):
        help_ = "one key of a JSON secret is `secretKeyRef: {name: NAME, key: KEY}`" if ":" in word else None
        return f"`{word}` is no name of a secret", help_ or "such as `team/key`"
    if SUFFIX.search(word):
        message = f"`{word}` ends like an ARN, with a hyphen and six characters: AWS does not find it by name"
        return message, f"name the whole ARN; {_PRINTS}"
    return None


def _arn(word: str, parameter: bool) -> tuple[str, str] | None:
    """What is wrong with an ARN, and what to do."""
    _, _, service, region, account, resource = word.split(":", 5)
    wanted = "ssm" if parameter else "secretsmanager"
    if service != wanted:
        other = {"ssm": "a parameter: say `parameter`", "secretsmanager": "a secret: say `secret`"}.get(
            service
        )
        what = "a parameter of SSM" if parameter else "a secret of Secrets Manager"
        return f"an ARN of {service} is not {what}", f"this is {other}" if other else f"name {what}"
    if not region or not account:
        return (
            f"the ARN names no {'account' if region else 'region'}",
            "copy the whole ARN, as `aws` prints it",
        )
    if parameter:
        fine = _PARAMETER.fullmatch(resource)
        return None if fine else ("the ARN names no parameter", "it ends with `parameter/NAME`")
    if not _SECRET.fullmatch(resource):
        message = "the ARN of a secret ends with a hyphen and six characters that AWS gave it"
        return message, f"{_PRINTS}; in this account the name alone is enough"
    return None


TELLING = ("PASSWORD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "ACCESS_KEY")

# What each begins with or looks like, by its owner's documentation: IAM user guide, "IAM identifiers";
# GitHub, "About authentication"; Slack, "Token types"; Hugging Face, "User access tokens"; RFC 7468.
_KINDS = {
    "an access key of AWS": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    "a token of GitHub": r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b",
    "a token of Slack": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a token of Hugging Face": r"\bhf_[A-Za-z0-9]{30,}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in an address": r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@$]+@",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}


def _open(path: SpecPath, workload: WorkloadSpec) -> Iterator[tuple[SpecPath, str]]:
    """What of a workload stands in the file and in the task definition for everybody to read."""
    for name, value in workload.env.items():
        yield (*path, "env", name), value
    yield from each((*path, "command"), workload.command)
    yield from each((*path, "args"), workload.args)
    if isinstance(workload, JobSpec):
        for name, parameter in workload.parameters.items():
            text = parameter if isinstance(parameter, str) else json.dumps(parameter)
            yield (*path, "parameters", name), text


def _patched(scene: Scene) -> Iterator[tuple[SpecPath, str]]:
    """Every text that a patch writes into a template."""
    for path, patch in each(("spec", "patches"), scene.site.spec.patches):
        yield from _texts((*path, "value"), patch.value)


def _texts(path: SpecPath, value: Any) -> Iterator[tuple[SpecPath, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for name, below in value.items():
                yield from _texts((*path, name), below)
        case list():
            for index, below in enumerate(value):
                yield from _texts((*path, index), below)


def _pairs(path: SpecPath, value: Any) -> Iterator[tuple[SpecPath, str, Any]]:
    """The variables that a patch gives a container, `{Name: …, Value: …}`, each with its place."""
    match value:
        case {"Name": str(name), "Value": given}:
            yield (*path, "Value"), name, given
        case dict():
            for word, below in value.items():
                yield from _pairs((*path, word), below)
        case list():
            for index, below in enumerate(value):
                yield from _pairs((*path, index), below)


@rule(
    "E226",
    "a secret in the open",
    """`env`, `command`, `args` and `parameters` are written into Git and into the task definition, where
    everybody who may look at the workload can read them. Withdraw what stood there, keep a new one in Secrets
    Manager, and name it in `secrets`.""",
    "spec: {services: [{name: api, env: {BUCKET_KEY: AKIAIOSFODNN7EXAMPLE}}]}",
    "spec: {services: [{name: api, secrets: {BUCKET_KEY: {secret: team/bucket}}}]}",
)
def secret_in_the_open(scene: Scene) -> Iterable[Finding]:
    """No value of the file is a secret."""
    for path, workload in workloads(scene):
        for at, value in _open(path, workload):
            kind = next((kind for kind, pattern in _PATTERNS.items() if pattern.search(value)), None)
            if kind:
                yield Finding(
                    at, f"this is {kind}, in the open", "withdraw it, and name a new one in `secrets`"
                )
    for at, value in _patched(scene):
        kind = next((kind for kind, pattern in _PATTERNS.items() if pattern.search(value)), None)
        if kind:
            yield Finding(at, f"this is {kind}, in the open", "withdraw it, and name a new one in `secrets`")


@rule(
    "W202",
    "what looks like a secret stands in the file",
    """`env` is written into Git and into the task definition, where everybody who may look at the workload
    can read it. Keep the value in Secrets Manager and name it in `secrets`.""",
    "spec: {services: [{name: api, env: {DB_PASSWORD: hunter2}}]}",
    "spec: {services: [{name: api, env: {DB_PASSWORD_FILE: /run/password}}]}",
)
def name_of_a_secret(scene: Scene) -> Iterable[Finding]:
    """What is called like a secret is none."""
    for path, workload in workloads(scene):
        for name, value in workload.env.items():
            if _telling(name, value):
                yield _looks((*path, "env", name), name)
    for path, patch in each(("spec", "patches"), scene.site.spec.patches):
        for at, name, value in _pairs((*path, "value"), patch.value):
            if _telling(name, value):
                yield _looks(at, name)


def _telling(name: str, value: object) -> bool:
    """Whether a variable is called like a secret and holds neither an address nor a path."""
    text = value if isinstance(value, str) else ""
    return bool(text) and name.upper().endswith(TELLING) and "://" not in text and not text.startswith("/")


def _looks(at: SpecPath, name: str) -> Finding:
    return Finding(
        at,
        f"`{name}` looks like a secret, and would stand in Git and in the task definition",
        "keep it in Secrets Manager and name it in `secrets`",
    )
