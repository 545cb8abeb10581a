"""A set of templates from the texts of a folder `generated/ENVIRONMENT`. Nothing of them is executed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from mlopsgen.motion.stacks import Delivery, Json, Prunes, StackTemplate, Template, TemplateSet

SCRIPT = "deploy.sh"
_STACK = re.compile(r"stacks/([^/]+)\.ya?ml")
_WORD = r"""(?:[^\s()'"\\#;&|<>$`]|\\.|'[^']*'|"[^"$`\\]*")+"""


class Unreadable(Exception):
    """The texts are no set of templates that can be told. The text says why."""


def read(files: Mapping[str, str]) -> TemplateSet:
    """The set that a folder holds, from its files' texts by their paths in it, such as `stacks/network.yaml`.

    Order, prefix, region and tags are those of `deploy.sh`, whose assignments are read as text. What it names
    must be there. Raises `Unreadable`.
    """
    script = files.get(SCRIPT)
    if script is None:
        raise Unreadable(f"there is no {SCRIPT}, which says in which order the stacks are deployed")
    templates = {found[1]: path for path in files if (found := _STACK.fullmatch(path))}
    order = _words(script, "STACKS")
    missing = [name for name in order if name not in templates]
    if missing:
        raise Unreadable(f"{SCRIPT} deploys {', '.join(missing)}, of which there is no template")
    return TemplateSet(
        _word(script, "PREFIX"),
        _word(script, "REGION"),
        tuple(StackTemplate(name, template(files[templates[name]], templates[name])) for name in order),
        tuple(sorted(_tags(script))),
    )


def delivery(files: Mapping[str, str], *, prunes: Prunes = "never") -> Delivery:
    """How the folder's `deploy.sh` delivers, as far as its text shows. Whether it prunes is asked."""
    script = files.get(SCRIPT, "")
    parameters = (
        (name, str(each.get("Default")))
        for path, text in files.items()
        if _STACK.fullmatch(path)
        for name, each in _parameters(template(text, path))
        if str(each.get("Type")).startswith("AWS::SSM::Parameter::Value<")
    )
    by_deploy = re.search(r"\baws cloudformation deploy\b", _code(script)) is not None
    return Delivery(
        passes_parameters=_passed(script).issuperset(parameters),
        prunes=prunes,
        imports="--import-existing-resources" in _code(script),
        releases="modify-load-balancer-attributes" in _code(script),
        guards=_guards(script),
        # AWS CLI, awscli/customizations/cloudformation/deployer.py: 120 times 30 seconds.
        waits_minutes=60 if by_deploy else None,
    )


@cache
def template(text: str, path: str = "") -> Template:
    """A template from its text, its functions in their long form; not to be changed. Raises `Unreadable`."""
    try:
        found = yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise Unreadable(f"{path} is no YAML: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict):
        raise Unreadable(f"{path} is no template: it has no Resources")
    for name, each in found["Resources"].items():
        if not isinstance(each, dict) or not isinstance(each.get("Type"), str):
            raise Unreadable(f"{path} is no template: {name} has no Type")
    return found


def _parameters(found: Template) -> list[tuple[str, dict[str, Json]]]:
    declared = found.get("Parameters")
    return [
        (name, each)
        for name, each in (declared.items() if isinstance(declared, dict) else ())
        if isinstance(each, dict)
    ]


def _code(script: str) -> str:
    """The script without its comments of whole lines."""
    return re.sub(r"(?m)^\s*#.*$", "", script)


def _word(script: str, name: str) -> str:
    found = re.search(rf"^(?:readonly )?{name}=({_WORD})$", script, re.M)
    if not found:
        raise Unreadable(f"{SCRIPT} does not say its {name}")
    return shlex.split(found[1])[0]


def _guards(script: str) -> frozenset[str]:
    """The types that stack policies protect; none where the script sets no such policy."""
    if '"Effect":"Deny"' not in _code(script) or not re.search(r"^GUARDED=", script, re.M):
        return frozenset()
    return frozenset(_word(script, "GUARDED").split())


def _passed(script: str) -> set[tuple[str, str]]:
    """Parameters and the values that they get: `reads NAME VALUE`, or `NAME=VALUE` of earlier scripts."""
    lines = re.findall(rf"^\s*reads ({_WORD}) ({_WORD})$", script, re.M)
    found = {(shlex.split(name)[0], shlex.split(value)[0]) for name, value in lines}
    return found | {(name, value) for name, value in re.findall(r"\b(\w+)=(/[\w./-]+)", script)}


def _tags(script: str) -> list[tuple[str, str]]:
    """The tags, which are a list in JSON, or words `KEY=VALUE` in earlier scripts."""
    found = re.search(rf"^(?:readonly )?TAGS=({_WORD})$", script, re.M)
    if found is None:
        words = (each.partition("=") for each in _words(script, "TAGS"))
        return [(key, value) for key, _, value in words]
    try:
        return [(str(each["Key"]), str(each["Value"])) for each in json.loads(shlex.split(found[1])[0])]
    except (ValueError, TypeError, KeyError):
        raise Unreadable(f"{SCRIPT} does not say its TAGS") from None


def _words(script: str, name: str) -> list[str]:
    found = re.search(rf"^(?:readonly )?{name}=\(\s*((?:{_WORD}\s*)*)\)$", script, re.M)
    if not found:
        raise Unreadable(f"{SCRIPT} does not say its {name}")
    return shlex.split(found[1])


@cache
def _loader() -> Any:
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """YAML as CloudFormation reads it: `!Sub x` is `{"Fn::Sub": x}`, and dates are texts."""

    def function(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
        name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
            return {name: value.split(".", 1) if suffix == "GetAtt" else value}
        if isinstance(node, yaml.SequenceNode):
            return {name: loader.construct_sequence(node, deep=True)}
        return {name: loader.construct_mapping(node, deep=True)}

    Loader.add_multi_constructor("!", function)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
    return Loader
