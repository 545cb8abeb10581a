"""CloudFormation's functions in a patched resource: which there are, and what they give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias, TypeGuard

from mlopsgen.aws.resource_schemas import Schema, attributes, identified_by_arn, schema
from mlopsgen.aws.resource_types import resource_type
from mlopsgen.diagnostics.closest import closest
from mlopsgen.document import Document, Read
from mlopsgen.parts.references import waits_for

Path: TypeAlias = tuple[str | int, ...]

_TEXT = frozenset(("Fn::Base64", "Fn::ImportValue", "Fn::Join", "Fn::Sub"))
_LISTS = frozenset(("Fn::Cidr", "Fn::GetAZs", "Fn::Split"))
_ABSENT = {
    "Fn::If": "a condition, which the template has none of",
    "Fn::FindInMap": "a map of `Mappings`, which the template has none of",
    "Fn::Transform": "`CAPABILITY_AUTO_EXPAND`, with which nothing here is deployed",
    "Fn::ForEach": "`Transform: AWS::LanguageExtensions`, which the template does not say",
    "Fn::Length": "`Transform: AWS::LanguageExtensions`, which the template does not say",
    "Fn::ToJsonString": "`Transform: AWS::LanguageExtensions`, which the template does not say",
}
"""What needs something beside the resource (AWS CloudFormation template reference, "Intrinsic functions")."""
_USABLE = frozenset(("Fn::GetAtt", "Fn::Select", *_TEXT, *_LISTS))


class Known(NamedTuple):
    """What a resource's template has."""

    stack: str
    resources: Mapping[str, str]
    """The type of each resource by its logical id."""
    parameters: Mapping[str, str]
    """The type of each parameter."""


def is_function(value: Read) -> TypeGuard[Mapping[str, Read]]:
    """Whether the value is a function of CloudFormation, and nothing beside it."""
    return isinstance(value, dict) and len(value) == 1 and _called(next(iter(value)))


def _called(name: object) -> bool:
    return isinstance(name, str) and (name == "Ref" or name.startswith("Fn::"))


def shown_path(path: Path) -> str:
    """`A.B[0].C`."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).lstrip(".")


def broken(value: Read, known: Known, path: Path = ()) -> Iterator[tuple[Path, str, str | None]]:
    """Functions that are none, that cannot work in the template, or that ask for what a type lacks."""
    match value:
        case dict():
            called = sorted(each for each in value if _called(each))
            if called and len(value) > 1:
                yield path, f"`{called[0]}` has something beside it: a function stands alone", None
            for name in called:
                yield from _function(name, value[name], known, (*path, name))
            for name, each in value.items():
                yield from broken(each, known, (*path, name))
        case list():
            for index, each in enumerate(value):
                yield from broken(each, known, (*path, index))


def _function(name: str, given: Read, known: Known, path: Path) -> Iterator[tuple[Path, str, str | None]]:
    match name, given:
        case "Ref", str():
            pass
        case "Ref", _:
            yield path, "`Ref` takes a name", None
        case "Fn::GetAtt", [str(target), str(attribute)]:
            yield from _attribute(target, attribute, known, path)
        case "Fn::GetAtt", str(both) if "." in both:
            target, _, attribute = both.partition(".")
            yield from _attribute(target, attribute, known, path)
        case "Fn::GetAtt", _:
            yield path, "`Fn::GetAtt` takes a resource and one of its attributes", "`[Queue, Arn]`"
        case "Fn::Sub", _:
            text: Read = given[0] if isinstance(given, list) and given else given
            own = given[1] if isinstance(given, list) and len(given) == 2 else {}
            if not isinstance(text, str) or not isinstance(own, dict):
                yield path, "`Fn::Sub` takes text, or a list of text and a map", None
                return
            for word in re.findall(r"\$\{([^!}][^}]*)\}", text):
                target, dot, attribute = word.partition(".")
                if dot and word not in own:
                    yield from _attribute(target, attribute, known, path)
        case "Fn::Join", [str(), list() | dict()]:
            pass
        case "Fn::Join", _:
            yield path, "`Fn::Join` takes a delimiter and a list", '`["-", [a, b]]`'
        case _ if name in _ABSENT:
            yield path, f"`{name}` needs {_ABSENT[name]}", None
        case _ if name not in _USABLE:
            close = closest(name, _USABLE)
            yield (
                path,
                f"CloudFormation has no function `{name}`",
                f"did you mean `{close}`?" if close else None,
            )


def _attribute(
    target: str, attribute: str, known: Known, path: Path
) -> Iterator[tuple[Path, str, str | None]]:
    kind = known.resources.get(target)
    if kind is None or schema(kind) is None:
        return
    given = attributes(kind)
    if attribute not in given:
        message = f"`{target}` has no attribute `{attribute}`"
        if resource_type(kind).identifier == (attribute,):
            yield path, message, f"`{{Ref: {target}}}` gives it"
            return
        if not given:
            yield path, message, f"`{kind}` has none: `Ref` is what it gives"
            return
        close = closest(attribute, given)
        help_ = f"did you mean `{close}`?" if close else f"`{kind}` has: {', '.join(sorted(given))}"
        yield path, message, help_


def misplaced(
    value: Mapping[str, Read], stated: Schema, kinds: frozenset[str], path: Path, known: Known
) -> tuple[str, str | None] | None:
    """What is wrong with what a function gives, where `stated` says what is taken: message and help."""
    (name, given), where = next(iter(value.items())), shown_path(path)
    if kinds:
        if name in _TEXT and not kinds & {"string", "integer", "number", "boolean"}:
            return f"`{where}` takes {_word(kinds)}, and `{name}` gives text", None
        if name in _LISTS and "array" not in kinds:
            return f"`{where}` takes no list, and `{name}` gives one", "`Fn::Select` takes one of a list"
    match name, given:
        case "Ref", str(target) if target in known.resources:
            return _resource(target, "", stated, kinds, path, known)
        case "Fn::GetAtt", [str(target), str(attribute)] if target in known.resources:
            return _resource(target, attribute, stated, kinds, path, known)
        case "Ref", str(target) if target in known.parameters:
            return _parameter(target, stated, kinds, path, known)
        case _:
            return None


def _word(kinds: frozenset[str]) -> str:
    return "a list" if "array" in kinds else "a map"


def _resource(
    target: str, attribute: str, stated: Schema, kinds: frozenset[str], path: Path, known: Known
) -> tuple[str, str | None] | None:
    """What `Ref` (without an attribute) or `Fn::GetAtt` gives in the wrong place."""
    kind, where = known.resources[target], shown_path(path)
    if schema(kind) is None:
        return None
    if not attribute and kinds and not kinds & {"string", "integer", "number", "boolean"}:
        return f"`{where}` takes {_word(kinds)}, and `Ref` of `{target}` gives text", None
    wanted, _, form = str(stated.get("format", "")).rpartition(".")
    if wanted.startswith(_HELD) and wanted != kind and not _speaks_of(attribute, wanted):
        return f"`{where}` takes {_thing(wanted)}, and `{target}` is {_thing(kind)}", None
    gives_arn = attribute.lower().endswith("arn") if attribute else identified_by_arn(kind)
    last = next((each for each in reversed(path) if isinstance(each, str)), "")
    if not gives_arn and (form == "Arn" or last.lower().endswith("arn")) and last != _ARN_OR_NAME:
        arn = next((each for each in sorted(attributes(kind)) if each.lower().endswith("arn")), None)
        said = f"`Fn::GetAtt` of `{attribute}`" if attribute else "`Ref`"
        help_ = f"`{{Fn::GetAtt: [{target}, {arn}]}}` gives it" if arn and attribute != arn else None
        return f"`{where}` takes an ARN, and {said} of `{target}` gives none", help_
    if gives_arn and attribute and form in ("Id", "Name") and wanted.startswith(_HELD):
        return f"`{where}` takes {_thing(wanted)}'s {form.lower()}, and `{attribute}` is an ARN", None
    return None


_HELD = ("AWS::EC2::SecurityGroup", "AWS::EC2::Subnet", "AWS::EC2::VPC", "AWS::IAM::Role", "AWS::SNS::Topic",
         "AWS::SQS::Queue")  # fmt: skip
"""The types whose ids and ARNs are told apart: of others, schemas name a type where AWS takes more."""


_ARN_OR_NAME = "AutoScalingGroupArn"
"""It takes the group's name too (Amazon ECS API reference, AutoScalingGroupProvider)."""


def _speaks_of(attribute: str, wanted: str) -> bool:
    return wanted.rpartition("::")[2].lower() in attribute.lower()


def _thing(kind: str) -> str:
    return f"an `{kind}`"


def _parameter(
    target: str, stated: Schema, kinds: frozenset[str], path: Path, known: Known
) -> tuple[str, str | None] | None:
    """What a parameter gives in the wrong place."""
    where = shown_path(path)
    inner = re.sub(r"^AWS::SSM::Parameter::Value<(.*)>$", r"\1", known.parameters[target])
    listed = inner == "CommaDelimitedList" or inner.startswith("List<")
    if listed and kinds and "array" not in kinds:
        return f"`{where}` takes no list, and `{target}` is one", "`Fn::Select` takes one of a list"
    if not listed and kinds and not kinds & {"string", "integer", "number", "boolean"}:
        return f"`{where}` takes {_word(kinds)}, and `{target}` is text", None
    one = re.sub(r"^List<(.*)>$", r"\1", inner).removesuffix("::Id")
    wanted = str(stated.get("format", "")).rpartition(".")[0]
    if one.startswith("AWS::EC2::") and wanted.startswith("AWS::EC2::") and one != wanted:
        return f"`{where}` takes {_thing(wanted)}, and `{target}` is {_thing(one)}", None
    return None


def circles(documents: Mapping[str, Mapping[str, Document]]) -> dict[str, set[str]]:
    """The resources that wait for themselves, each with those in the circle that it waits for."""
    waiting = {name: waits_for(each) & documents.keys() for name, each in documents.items()}
    while free := {name for name, others in waiting.items() if not others & waiting.keys()}:
        waiting = {name: others for name, others in waiting.items() if name not in free}
    # Who only waits for a circle is not in it.
    while idle := waiting.keys() - set().union(*waiting.values()):
        waiting = {name: others for name, others in waiting.items() if name not in idle}
    return {name: others & waiting.keys() for name, others in waiting.items()}
