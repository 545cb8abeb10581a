"""A template's values once CloudFormation has resolved them: two that are equal are the same to AWS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mlopsgen.motion.stacks import Json, Template

_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")
_ABSENT = "${AWS::NoValue}"


class Scope(NamedTuple):
    """What names mean in one template."""

    parameters: Mapping[str, Json]
    """Values by name, pseudo parameters among them."""
    ref: Callable[[str], Json]
    """What `Ref` gives of a resource."""
    attribute: Callable[[str, str], Json]
    """What `Fn::GetAtt` gives of one."""
    template: Template


def resolve(value: Json, scope: Scope) -> Json:
    """The value with its functions carried out, and every scalar as a string, as CloudFormation takes it.

    What only AWS can tell stays a function, of resolved arguments.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" or name[:4] == "Fn::":
                return _function(name, argument, scope)
        return {key: found for key, item in value.items() if (found := resolve(item, scope)) != _ABSENT}
    if isinstance(value, list):
        return [found for item in value if (found := resolve(item, scope)) != _ABSENT]
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def text(value: Json) -> str:
    """The value within a longer text."""
    return (
        value
        if isinstance(value, str)
        else ",".join(map(text, value))
        if isinstance(value, list)
        else str(value)
    )


def holds(name: Json, scope: Scope) -> bool:
    """Whether a condition holds; one that cannot be told does."""
    conditions = scope.template.get("Conditions")
    found = conditions.get(name) if isinstance(conditions, dict) and isinstance(name, str) else None
    return _truth(found, scope)


def _truth(condition: Json, scope: Scope) -> bool:
    if not isinstance(condition, dict) or len(condition) != 1:
        return True
    name, argument = next(iter(condition.items()))
    match name, argument:
        case "Condition", str():
            return holds(argument, scope)
        case "Fn::Equals", [left, right]:
            return resolve(left, scope) == resolve(right, scope)
        case "Fn::Not", [each]:
            return not _truth(each, scope)
        case "Fn::And", list():
            return all(_truth(each, scope) for each in argument)
        case "Fn::Or", list():
            return any(_truth(each, scope) for each in argument)
        case _:
            return True


def _function(name: str, argument: Json, scope: Scope) -> Json:
    match name, argument:
        case "Ref", str():
            return _named(argument, scope)
        case "Fn::GetAtt", [str(resource), *path]:
            return scope.attribute(resource, ".".join(text(resolve(each, scope)) for each in path))
        case "Fn::GetAtt", str():
            name, _, attribute = argument.partition(".")
            return scope.attribute(name, attribute)
        case "Fn::Sub", str():
            return _filled(argument, {}, scope)
        case "Fn::Sub", [str(template), dict(variables)]:
            return _filled(template, {key: resolve(each, scope) for key, each in variables.items()}, scope)
        case "Fn::Join", [str(between), items]:
            found = resolve(items, scope)
            return between.join(map(text, found)) if isinstance(found, list) else {name: [between, found]}
        case "Fn::Split", [str(at), whole]:
            found = resolve(whole, scope)
            # What only AWS knows may hold the separator too.
            plain = isinstance(found, str) and (at == "," or "${" not in found)
            return [*found.split(at)] if plain and isinstance(found, str) else {name: [at, found]}
        case "Fn::Select", [index, items]:
            number, found = resolve(index, scope), resolve(items, scope)
            if isinstance(found, list) and isinstance(number, str) and number.isdigit():
                return found[int(number)] if int(number) < len(found) else {name: [number, found]}
            return {name: [number, found]}
        case "Fn::If", [condition, yes, no]:
            return resolve(yes if holds(condition, scope) else no, scope)
        case "Fn::FindInMap", [*keys]:
            return _looked_up([resolve(each, scope) for each in keys], scope)
        case _:
            return {name: resolve(argument, scope)}


def _named(name: str, scope: Scope) -> Json:
    return scope.parameters[name] if name in scope.parameters else scope.ref(name)


def _filled(template: str, variables: Mapping[str, Json], scope: Scope) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name[0] == "!":
            return f"${{{name[1:]}}}"
        if name in variables:
            return text(variables[name])
        if "." in name and name not in scope.parameters:
            resource, _, path = name.partition(".")
            return text(scope.attribute(resource, path))
        return text(_named(name, scope))

    return _PLACEHOLDER.sub(value, template)


def _looked_up(keys: list[Json], scope: Scope) -> Json:
    found = scope.template.get("Mappings")
    for key in keys:
        if not isinstance(found, dict) or not isinstance(key, str) or key not in found:
            return {"Fn::FindInMap": keys}
        found = found[key]
    return resolve(found, scope)
