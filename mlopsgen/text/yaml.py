"""YAML as a reviewer wants to read it: block style, short tags, quotes only where they are needed.

CloudFormation reads YAML 1.1, where `no`, `0123`, `1:30` and `2026-01-01` are not strings; whatever could be
taken for something else is quoted. One pass writes one string: troposphere's own writer needs a hundred
times as long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from json.encoder import encode_basestring

# A word that no YAML 1.1 resolver takes for a number, a date or a constant, and no parser for syntax.
_PLAIN = re.compile(
    r"[A-Za-z_/$][A-Za-z0-9_./$%+*(){}@;~^-]*(?:[ :=,!&?'\"<>|#\[\]]+[A-Za-z0-9_./$%+*(){}@;~^-]+)*"
)
_CONSTANTS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"])

_TAGS = {
    "Condition": "!Condition", "Fn::And": "!And", "Fn::Base64": "!Base64", "Fn::Equals": "!Equals",
    "Fn::FindInMap": "!FindInMap", "Fn::GetAtt": "!GetAtt", "Fn::GetAZs": "!GetAZs", "Fn::If": "!If",
    "Fn::Join": "!Join", "Fn::Not": "!Not", "Fn::Or": "!Or", "Fn::Select": "!Select", "Fn::Split": "!Split",
    "Fn::Sub": "!Sub", "Ref": "!Ref",
}  # fmt: skip


def dump(document: Mapping[str, object], indent: str = "") -> str:
    """The document as YAML, its maps in their own order, each line after `indent`, with a final newline."""
    lines: list[str] = []
    _mapping(document, indent, lines)
    return "\n".join(lines) + "\n"


def scalar(value: object) -> str:
    """One value on one line."""
    match value:
        case str():
            return _text(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int():
            return str(value)
        case float():
            # Without a point YAML 1.1 reads a string.
            mantissa, e, exponent = repr(value).partition("e")
            return (mantissa if "." in mantissa else f"{mantissa}.0") + e + exponent
        case _:
            raise TypeError(f"{type(value).__name__} is not a scalar")


# The same words come again and again.
@lru_cache(4096)
def _text(text: str) -> str:
    plain = (
        _PLAIN.fullmatch(text) and text.lower() not in _CONSTANTS and ": " not in text and " #" not in text
    )
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    """In double quotes, as JSON writes it: every JSON string without surrogates is one of YAML too."""
    quoted = encode_basestring(text)
    if _shows(quoted):
        return quoted
    return _hidden().sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _shows(text: str) -> bool:
    """Whether YAML can hold every character as it is."""
    return text.replace("\n", "").isprintable() if text.isascii() else not _hidden().search(text)


# Made when it is needed, since that takes longer than all else here.
@cache
def _hidden() -> re.Pattern[str]:
    """Characters that YAML cannot hold as they are, or takes for line breaks."""
    return re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _literal(text: str) -> bool:
    """Whether it can stand as a block of lines, every one as it is."""
    return (
        not text.startswith((" ", "\n", "\t"))
        and _shows(text)
        and not any(line != line.rstrip() for line in text.split("\n"))
        and not text.endswith("\n\n")
    )


def _intrinsic(value: object) -> tuple[str, object] | None:
    """The short tag and the argument, if `value` is a map of one function."""
    if isinstance(value, dict) and len(value) == 1:
        [(name, argument)] = value.items()
        if name in _TAGS and (name != "Condition" or isinstance(argument, str)):
            if name == "Fn::GetAtt" and isinstance(argument, list):
                argument = ".".join(argument)
            # Two short tags cannot stand one after the other.
            if _intrinsic(argument) is None:
                return _TAGS[name], argument
    return None


def _mapping(value: Mapping[str, object], indent: str, lines: list[str]) -> None:
    for key, item in value.items():
        if isinstance(item, str) and "\n" not in item:
            # As most are: a call for each would take as long as all else here.
            lines.append(f"{indent}{_text(key)}: {_text(item)}")
        else:
            _entry(f"{indent}{_text(key)}:", item, indent, lines)


def _entry(head: str, value: object, indent: str, lines: list[str]) -> None:
    """`head` and its value, on the same line if it fits there."""
    if isinstance(value, dict) and (function := _intrinsic(value)):
        head, value = f"{head} {function[0]}", function[1]
    if isinstance(value, str) and "\n" not in value:
        lines.append(f"{head} {_text(value)}")
        return
    match value:
        case str() if _literal(value):
            keep = "|" if value.endswith("\n") else "|-"
            lines.append(f"{head} {keep}")
            lines.extend(f"{indent}  {line}" if line else "" for line in value.rstrip("\n").split("\n"))
        case dict() if value:
            lines.append(head)
            _mapping(value, indent + "  ", lines)
        case list() if value:
            lines.append(head)
            _sequence(value, indent + "  ", lines)
        case dict():
            lines.append(f"{head} {{}}")
        case list():
            lines.append(f"{head} []")
        case _:
            lines.append(f"{head} {scalar(value)}")


def _sequence(value: Sequence[object], indent: str, lines: list[str]) -> None:
    for item in value:
        if isinstance(item, dict) and item and _intrinsic(item) is None:
            start = len(lines)
            _mapping(item, indent + "  ", lines)
            lines[start] = f"{indent}- {lines[start][len(indent) + 2 :]}"
        else:
            _entry(f"{indent}-", item, indent, lines)
