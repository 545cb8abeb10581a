"""Secrets stand in Secrets Manager or SSM, and are named as ECS finds them; none stands in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mlopsgen.components.secrets.binding import SUFFIX, given
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.rules.places import each as each_of
from mlopsgen.rules.places import secrets, workloads
from mlopsgen.rules.registry import Scene, rule
from mlopsgen.rules.said import Said, said

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


@rule(
    "W351",
    "an ARN of a secret that may be cut short",
    """Secrets Manager ends each ARN with a hyphen and six characters of its own, and a role may read exactly the
    ARN that is named. Of two hundred such endings one has small letters alone, so `…:secret:team-secret` is far
    more likely an ARN without its end, with which no task starts.""",
    """
    spec:
      services:
        - name: api
          secrets: {API_KEY: {secret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team-secret"}}
    """,
    """
    spec:
      services:
        - name: api
          secrets: {API_KEY: {secret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team-secret-a1B2c3"}}
    """,
)
def cut_short(scene: Scene) -> Iterable[Finding]:
    """The end of a secret's ARN is AWS's, not the end of its name."""
    for at, secret in secrets(scene):
        word = given(secret)
        if word.startswith("arn:") and secret.parameter is None and _A_WORD.search(word):
            yield Finding(
                at,
                f"`{word.rpartition('-')[2]}` looks like a part of the name, and AWS's six characters missing",
                f"{_PRINTS}; in this account the name alone is enough",
            )


_A_WORD = re.compile(r"-[a-z]{6}$")

# What each begins with or looks like, by its owner's documentation: IAM user guide, "IAM identifiers";
# GitHub, "About authentication"; GitLab, "Token prefixes"; Slack, "Token types" and "Sending messages using
# incoming webhooks"; Hugging Face, "User access tokens"; Stripe, "API keys"; Google Cloud, "API keys"; OpenAI
# and Anthropic, their consoles; SendGrid, "API keys"; npm, "About access tokens"; RFC 7519; RFC 7468.
_KINDS = {
    "an access key of AWS": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a token of GitHub": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b",
    "a token of GitLab": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a token of Slack": r"\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}",
    "a webhook's address": r"hooks\.slack\.com/services/T\w+/B\w+/\w+|discord(?:app)?\.com/api/webhooks/\d+/[\w-]+",
    "a token of Hugging Face": r"\bhf_[A-Za-z0-9]{30,}\b",
    "a key of OpenAI or Anthropic": r"\bsk-(?:(?:proj|svcacct|admin|ant-\w+)-[\w-]{20,}|[A-Za-z0-9]{32,})",
    "a key of Stripe": r"\b[rs]k_live_[A-Za-z0-9]{16,}",
    "a key of Google": r"\bAIza[A-Za-z0-9_-]{35}",
    "a key of SendGrid": r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{32,}",
    "a token of npm": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in an address": r"\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s:@$]+@",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}
_ANY = re.compile("|".join(f"(?:{pattern})" for pattern in _KINDS.values()))


def _values(scene: Scene) -> Iterator[Said]:
    """Every text of the file as the environment reads it.

    What `spec.variables` say is told there, and not again where it was filled in.
    """
    pipeline = scene.site.pipeline
    variables = tuple(pipeline.spec.variables.values())
    for each in said(pipeline):
        found = _ANY.search(each.text)
        if found and (each.path[:2] == _VARIABLES or not any(found[0] in value for value in variables)):
            yield each


_VARIABLES = ("spec", "variables")


@rule(
    "E226",
    "a secret in the open",
    """What the file says stands in Git, in templates and in task definitions, where everybody who may look at the
    workload can read it: `env`, `args` and `parameters`, and labels and patches as well. Withdraw what stood
    there, keep a new one in Secrets Manager, and name it in `secrets`.""",
    "spec: {services: [{name: api, env: {BUCKET_KEY: AKIAIOSFODNN7EXAMPLE}}]}",
    "spec: {services: [{name: api, secrets: {BUCKET_KEY: {secret: team/bucket}}}]}",
)
def secret_in_the_open(scene: Scene) -> Iterable[Finding]:
    """No value of the file is a secret."""
    for each in _values(scene):
        kind = next(kind for kind, pattern in _PATTERNS.items() if pattern.search(each.text))
        yield Finding(
            each.path,
            f"this is {kind}, in the open",
            "withdraw it, and name a new one in `secrets`",
            key=each.key,
        )


PASSWORDS = frozenset(("PASSPHRASE", "PASSWD", "PASSWORD", "PWD", "PGPASSWORD"))
"""A name that ends so is that of a secret, whatever its value."""

SECRETS = frozenset(("APIKEY", "AUTH", "CREDENTIAL", "CREDENTIALS", "PASS", "PAT", "SECRET", "TOKEN"))
"""A name that ends so is that of a secret, unless its value is a number, a path or the like."""

_KEYS = frozenset((
    "ACCESS", "ANTHROPIC", "API", "AUTH", "COHERE", "ENCRYPTION", "GEMINI", "GROQ", "LANGSMITH", "MASTER",
    "MISTRAL", "OPENAI", "PINECONE", "PRIVATE", "QDRANT", "SECRET", "SENDGRID", "SIGNING", "STRIPE", "WANDB",
))  # fmt: skip
"""What stands before KEY in names of secrets, services' names among it; other keys are columns, prefixes and the
like."""

_TOKENS = frozenset((
    "BOS", "CLS", "DECODER", "EOS", "IMAGE", "MASK", "MAX", "MIN", "NEXT", "NUM", "PAD", "PER", "SEP", "SPECIAL",
    "START", "STOP", "UNK",
))  # fmt: skip
"""What stands before TOKEN where it is a piece of text."""

_HARMLESS = re.compile(
    r"-?[0-9.]*|/.*|.*://.*|arn:.*|\$.*|<.*>|\[.*\]|true|false|yes|no|on|off|none|null", re.I | re.S
)
"""Values that are no secret: numbers, paths, addresses, references, pieces of text, switches."""


def tells(name: str, value: str) -> bool:
    """Whether what is called `name` looks like a secret, although its value has no known form."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    *before, last = re.split(r"[^A-Z0-9]+", split.upper().strip("_-"))
    if not value or value.startswith(("$", "/", "arn:")) or "://" in value:
        return False
    if last in PASSWORDS or (last.endswith("PASSWORD") and last != "NOPASSWORD"):
        return True
    if _HARMLESS.fullmatch(value):
        return False
    if last == "KEY":
        return bool(before) and before[-1] in _KEYS
    return last in SECRETS and not (last == "TOKEN" and before and before[-1] in _TOKENS)


@rule(
    "W202",
    "what looks like a secret stands in the file",
    """What is called `DB_PASSWORD`, `api_key` or `--token` is written into Git and into the task definition, where
    everybody who may look at the workload can read it. Keep the value in Secrets Manager and name it in
    `secrets`.""",
    "spec: {services: [{name: api, env: {DB_PASSWORD: hunter2}}]}",
    "spec: {services: [{name: api, env: {DB_PASSWORD_FILE: /run/password}}]}",
)
def name_of_a_secret(scene: Scene) -> Iterable[Finding]:
    """What is called like a secret is none."""
    for path, name, value in _named(scene):
        if tells(name, value) and not _ANY.search(value):
            yield Finding(
                path,
                f"`{name}` looks like a secret, and would stand in Git and in the task definition",
                "keep it in Secrets Manager and name it in `secrets`",
            )


def _named(scene: Scene) -> Iterator[tuple[SpecPath, str, str]]:
    """What goes by a name that the author gave: its place, the name, the value."""
    pipeline = scene.site.pipeline
    for path, workload in workloads(scene):
        for word in ("env", "parameters"):
            for each in said(getattr(workload, word, {}), (*path, word)):
                if not each.key:
                    yield each.path, each.beside, each.text
        for word in ("command", "args"):
            yield from _options((*path, word), getattr(workload, word))
    for name, value in pipeline.metadata.labels.items():
        yield ("metadata", "labels", name), name, value
    for path, patch in each_of(("spec", "patches"), scene.site.spec.patches):
        last = patch.path.rpartition(".")[2]
        for each in said(patch.value, (*path, "value"), last):
            if not each.key and each.beside not in _PROPERTIES:
                yield each.path, each.beside, each.text


_PROPERTIES = frozenset(("Name", "Value", "ValueFrom", "CredentialsParameter"))


def _options(path: SpecPath, words: tuple[str, ...]) -> Iterator[tuple[SpecPath, str, str]]:
    """`--token VALUE` and `--token=VALUE`."""
    for index, word in enumerate(words):
        if word.startswith("--"):
            name, assigned, value = word.partition("=")
            if not assigned:
                value = words[index + 1] if index + 1 < len(words) else ""
            if not value.startswith("-"):
                yield (*path, index if assigned else index + 1), name.lstrip("-"), value
