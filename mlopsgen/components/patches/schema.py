"""A resource's properties held against its type's schema, as CloudFormation takes them.

CloudFormation reads `"80"` where a number is wanted and `80` where text is, and takes a function in the place
of any value: what a function gives is looked at in `references`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from mlopsgen.aws.resource_schemas import Schema, schema
from mlopsgen.aws.resource_types import resource_type
from mlopsgen.components.patches.references import Known, is_function, misplaced, shown_path
from mlopsgen.diagnostics.closest import closest
from mlopsgen.document import Read

Path: TypeAlias = tuple[str | int, ...]
"""Below `Properties`."""

LISTED = 24
"""How many choices a help lists at most."""


class PropertyFault(NamedTuple):
    """What is wrong at one place of a resource."""

    path: Path
    message: str
    help: str | None = None
    key: bool = False
    """Whether the key at `path` is wrong, rather than what it holds."""
    reference: bool = False
    """Whether it is about what a function gives."""


def faults(kind: str, properties: Read, known: Known) -> Iterator[PropertyFault]:
    """What of the properties a resource of type `kind` does not take; nothing if its schema is not known."""
    stated = schema(kind)
    if stated is not None:
        yield from _read_only(kind, properties)
        yield from _Reader(kind, stated.get("definitions", {}), known).read(properties, stated, ())


def _read_only(kind: str, properties: Read) -> Iterator[PropertyFault]:
    for pointer in sorted(resource_type(kind).read_only):
        path = tuple(pointer.split("/"))
        node: object = properties
        for step in path:
            node = node.get(step, _NOTHING) if isinstance(node, dict) else _NOTHING
        # Of a map that AWS fills, it is each part that cannot be set.
        if node is not _NOTHING and not isinstance(node, dict):
            message = f"`{shown_path(path)}` is AWS's to say: a template can read it, not set it"
            yield PropertyFault(path, message, "take it out", key=True)


_NOTHING = object()


class _Reader(NamedTuple):
    """Values held against parts of one type's schema."""

    kind: str
    definitions: Schema
    known: Known

    def read(self, value: Read, stated: Schema, path: Path) -> Iterator[PropertyFault]:
        """What `stated` does not take of the value at `path`."""
        if "$ref" in stated:
            target = self.definitions[stated["$ref"].removeprefix("#/definitions/")]
            stated = {**target, **{word: each for word, each in stated.items() if word != "$ref"}}
        kinds = _kinds(stated)
        if is_function(value):
            if found := misplaced(value, stated, kinds, path, self.known):
                yield PropertyFault(path, *found, reference=True)
            return
        if value is None:
            yield PropertyFault(
                path, f"`{shown_path(path)}` is null, which no template can hold", "leave it out"
            )
            return
        if kinds and not any(_is(value, kind) for kind in kinds):
            yield PropertyFault(path, f"`{shown_path(path)}` takes {_words(kinds)}, not {_called(value)}")
            return
        match value:
            case dict():
                yield from self._map(value, stated, path)
            case list():
                yield from self._list(value, stated, path)
            case _:
                yield from _scalar(value, stated, path)
        yield from self._choices(value, stated, path)

    def _map(self, value: dict[str, Read], stated: Schema, path: Path) -> Iterator[PropertyFault]:
        properties: Schema = stated.get("properties", {})
        patterns: Schema = stated.get("patternProperties", {})
        closed = stated.get("additionalProperties") is False
        for name, each in value.items():
            if name in properties:
                yield from self.read(each, properties[name], (*path, name))
            elif fits := [below for pattern, below in patterns.items() if re.search(pattern, name)]:
                yield from self.read(each, fits[0], (*path, name))
            elif closed:
                yield PropertyFault((*path, name), *self._unknown(name, properties, path), key=True)
        for name in stated.get("required", ()):
            if name not in value:
                message = f"`{name}` is missing{_inside(path, self.kind)}"
                yield PropertyFault(path, message, f"required: {_listed(stated['required'])}")
        yield from _together(value, stated, path, self.kind)

    def _unknown(self, name: str, properties: Iterable[str], path: Path) -> tuple[str, str | None]:
        if not path and name in _BESIDE:
            message = f"`{name}` stands beside `Properties`, which a patch cannot reach"
            return message, f"a patch changes properties of `{self.kind}` alone"
        message = f"`{self.kind}` has no property `{shown_path((*path, name))}`"
        if not path and name == "Properties":
            return message, "a path begins below `Properties`: leave the word out"
        settable = sorted(set(properties) - resource_type(self.kind).read_only) if not path else properties
        if close := closest(name, settable):
            return message, f"did you mean `{close}`?"
        return message, f"there are: {_listed(settable)}" if properties else None

    def _list(self, value: list[Read], stated: Schema, path: Path) -> Iterator[PropertyFault]:
        least, most = stated.get("minItems", 0), stated.get("maxItems")
        if len(value) < least or (most is not None and len(value) > most):
            bounds = f"{least} to {most}" if most is not None else f"at least {least}"
            yield PropertyFault(path, f"`{shown_path(path)}` has {len(value)} items; it takes {bounds}")
        if stated.get("uniqueItems"):
            for index, each in enumerate(value):
                if each in value[:index]:
                    yield PropertyFault(
                        (*path, index), f"`{shown_path(path)}` has one item twice", "take one out"
                    )
        for index, each in enumerate(value):
            yield from self.read(each, stated.get("items", {}), (*path, index))

    def _choices(self, value: Read, stated: Schema, path: Path) -> Iterator[PropertyFault]:
        for each in stated.get("allOf", ()):
            yield from self.read(value, each, path)
        for word in ("anyOf", "oneOf"):
            if not stated.get(word):
                continue
            found = [tuple(self.read(value, each, path)) for each in stated[word]]
            required = [each["required"] for each in stated[word] if set(each) == {"required"}]
            if all(found):
                if len(required) == len(found):
                    names = _listed((" and ".join(each) for each in required), " or ")
                    yield PropertyFault(path, f"{names} is missing{_inside(path, self.kind)}")
                else:
                    yield from min(found, key=len)
            elif word == "oneOf" and len(required) == len(found) and sum(not each for each in found) > 1:
                names = _listed(" and ".join(each) for each in required)
                yield PropertyFault(path, f"of {names} one alone can stand{_inside(path, self.kind)}")


_BESIDE = frozenset((
    "Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Metadata", "Type", "UpdatePolicy",
    "UpdateReplacePolicy",
))  # fmt: skip
"""What a resource has beside its properties (CloudFormation template reference, "Resource attributes")."""


def _together(value: Mapping[str, Read], stated: Schema, path: Path, kind: str) -> Iterator[PropertyFault]:
    """What can, or cannot, stand beside what."""
    given: list[str] = stated.get("requiredXor", [])
    present = [name for name in given if name in value]
    if given and not present:
        yield PropertyFault(path, f"one of {_listed(given)} is missing{_inside(path, kind)}")
    if len(present) > 1:
        yield PropertyFault(
            (*path, present[-1]), f"{_listed(present, ' and ')} cannot stand together", "keep one", key=True
        )
    told: set[frozenset[str]] = {frozenset(present)}
    for name, others in stated.get("dependentExcluded", {}).items():
        for other in others:
            pair = frozenset((name, other))
            if name in value and other in value and pair not in told:
                told.add(pair)
                message = f"`{name}` and `{other}` cannot stand together{_inside(path, kind)}"
                yield PropertyFault((*path, name), message, "keep one of the two", key=True)
    for name, others in stated.get("dependentRequired", {}).items():
        for other in others:
            if name in value and other not in value:
                yield PropertyFault(
                    (*path, name), f"`{name}` needs `{other}` beside it{_inside(path, kind)}", key=True
                )


def _scalar(value: Read, stated: Schema, path: Path) -> Iterator[PropertyFault]:
    text, where = as_text(value), shown_path(path)
    choices = [as_text(each) for each in stated.get("enum", stated.get("enumCaseInsensitive", ()))]
    if "const" in stated:
        choices = [as_text(stated["const"])]
    fold = "enumCaseInsensitive" in stated
    if choices and (text.lower() if fold else text) not in choices:
        yield PropertyFault(path, f"`{where}` takes no `{text}`", _of_choices(text, choices))
        return
    number = _as_number(value)
    low, high = stated.get("minimum"), stated.get("maximum")
    if number is not None and ((low is not None and number < low) or (high is not None and number > high)):
        yield PropertyFault(path, f"`{where}` takes {_range(low, high)}, not {text}")
    if _kinds(stated) - {"string"}:
        return
    least, most = stated.get("minLength", 0), stated.get("maxLength")
    if len(text) < least or (most is not None and len(text) > most):
        bounds = _range(least or None, most)
        yield PropertyFault(path, f"`{where}` takes {bounds} characters, and `{text}` has {len(text)}")
    elif "pattern" in stated and not re.search(stated["pattern"], text):
        yield PropertyFault(path, f"`{where}` takes no `{text}`", f"it has the form `{stated['pattern']}`")
    elif message := _format(text, stated.get("format", ""), where):
        yield PropertyFault(path, *message)


def _format(text: str, form: str, where: str) -> tuple[str, str] | None:
    """What is wrong with a literal of one of CloudFormation's formats, and what it looks like."""
    if form in ("ipv4-network", "ipv6-network"):
        version = ipaddress.IPv4Network if form == "ipv4-network" else ipaddress.IPv6Network
        try:
            version(text, strict=False)
        except ValueError:
            such = "10.0.0.0/24" if form == "ipv4-network" else "2001:db8::/64"
            return f"`{where}` takes no `{text}`", f"it is a range of addresses, such as `{such}`"
        return None
    pattern, such = _FORMS.get(form, ("", ""))
    if not pattern or re.fullmatch(pattern, text):
        return None
    return f"`{where}` takes no `{text}`", f"it is {such}"


_ID = r"-([0-9a-f]{8}|[0-9a-f]{17})"
_FORMS = {
    "AWS::EC2::SecurityGroup.Id": (f"sg{_ID}", "the id of a security group, such as `sg-0123456789abcdef0`"),
    "AWS::EC2::Subnet.Id": (f"subnet{_ID}", "the id of a subnet, such as `subnet-0123456789abcdef0`"),
    "AWS::EC2::VPC.Id": (f"vpc{_ID}", "the id of a VPC, such as `vpc-0123456789abcdef0`"),
    "AWS::IAM::Role.Arn": (
        r"arn:aws[a-z-]*:iam::\d{12}:role/.+", "a role's ARN, such as `arn:aws:iam::123456789012:role/NAME`",
    ),
}  # fmt: skip
"""How literals of a format look, and the words for it (Amazon EC2 user guide, "Resource IDs")."""


def _kinds(stated: Schema) -> frozenset[str]:
    given = stated.get("type", ())
    return frozenset((given,) if isinstance(given, str) else given)


def _is(value: Read, kind: str) -> bool:
    """Whether CloudFormation takes a literal for a `kind`."""
    match kind:
        case "string":
            return isinstance(value, str | bool | int | float)
        case "integer":
            return _as_number(value) is not None and re.fullmatch(r"-?\d+", as_text(value)) is not None
        case "number":
            return _as_number(value) is not None
        case "boolean":
            return as_text(value).lower() in ("true", "false") if isinstance(value, bool | str) else False
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True


def as_text(value: Read) -> str:
    """The text that CloudFormation makes of a literal."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_number(value: Read) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value) if not isinstance(value, str) or re.fullmatch(r"-?\d+(\.\d+)?", value) else None
    except OverflowError:
        return None


_NAMES = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "a map",
}  # fmt: skip


def _words(kinds: Iterable[str]) -> str:
    return " or ".join(_NAMES.get(each, each) for each in sorted(kinds))


def _called(value: Read) -> str:
    match value:
        case dict():
            return "a map"
        case list():
            return "a list"
        case _:
            return f"`{as_text(value)}`"


def _of_choices(text: str, choices: list[str]) -> str:
    """All choices; of many, those that begin alike or are most like it."""
    if len(choices) <= LISTED:
        return f"one of {_listed(choices)}"
    close = closest(text, choices)
    return f"did you mean `{close}`?" if close else f"one of {_listed(choices[:LISTED])} …"


def _listed(words: Iterable[str], last: str = ", ") -> str:
    *first, final = [f"`{each}`" for each in words]
    return f"{', '.join(first)}{last}{final}" if first else final


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"{high:,} at most"
    return f"{low:,} to {high:,}" if high is not None else f"{low:,} at least"


def _inside(path: Path, kind: str) -> str:
    return f" in `{shown_path(path)}`" if path else f" in `{kind}`"
