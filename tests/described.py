"""Documents in the language's own words, in whatever way its models let them be put together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel

from mlopsgen.language.base import Choice, Item
from mlopsgen.language.reference import bare, is_later, key, typed
from mlopsgen.language.values import Unit
from mlopsgen.model.pipeline import Pipeline

# What refers to each other, or is looked up, is drawn from a few words, so that it sometimes fits.
NAMES = ["a", "b", "c-1", "c1", "x" * 32]
BUILT_IN = ["raw", "models", "logs", "fargate", "fargate-spot", "public", "internal", "http", "default"]
WORDS = {
    r"^[a-z](-?[a-z0-9])*$": [*NAMES, *BUILT_IN],
    r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$": ["eu-west-1", "eu-west-1", "us-west-1", "cn-north-1", "ap-xx-9"],
    r"^arn:aws(-[a-z]+)*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}|aws)?:[^\s*?'\"\\$`]+$": [
        "arn:aws:acm:eu-west-1:123456789012:certificate/x", "arn:aws:iam::123456789012:role/x",
        "arn:aws:kms:eu-west-1:123456789012:key/x", "arn:aws:ssm:eu-west-1:123456789012:parameter/x",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf",
        "arn:aws-cn:iam::123456789012:policy/x",
    ],
    r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$": ["m5.large", "g4dn.xlarge", "c7g.large", "x.y"],
    r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$": [
        "10.0.0.0/16", "10.0.0.0/23", "10.1.0.0/30", "0.0.0.0/0", "1.2.3.4/5",
    ],
    r"^\s*\S+(\s+\S+){4}\s*$": ["0 3 * * 0", "*/5 * * * *", "59 23 31 12 *", "0 0 1 1 0", "x x x x x"],
    r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$": ["UTC", "Asia/Ho_Chi_Minh", "Mars/Olympus"],
}  # fmt: skip
QUANTITIES = ["0s", "1s", "1m", "90m", "24h", "400d", "1Mi", "1Gi", "64Gi", "0%", "100%", "1/m", "1ms", "64"]

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)


@st.composite
def documents(
    draw: st.DrawFn, anything: st.SearchStrategy[Any], known: Mapping[str, tuple[Any, ...]] | None = None
) -> Any:
    """A whole document, with `anything` where JSON may stand; what its workloads name is mostly there.

    Where `known` has values for a key, most are such.
    """
    author = Author(draw, anything, draw(st.sampled_from([1, 3, 9, 20])), known or {})
    document = author.map(Pipeline)
    if draw(st.integers(0, 9)):
        _declare(document["spec"])
    return document


@dataclass(frozen=True)
class Author:
    """Who writes a document: every so many keys that may be left out, one is written."""

    draw: st.DrawFn
    anything: st.SearchStrategy[Any]
    every: int
    known: Mapping[str, tuple[Any, ...]]

    def map(self, model: type[BaseModel]) -> dict[str, Any]:
        """A map with the keys of a model, one of its choices among them."""
        fields = {name: field for name, field in model.model_fields.items() if not is_later(field)}
        fields.pop("environments", None)
        choices = {
            name for name, field in fields.items() if any(isinstance(mark, Choice) for mark in field.metadata)
        }
        taken = self.draw(st.sampled_from(sorted(choices))) if choices else None
        written = {
            name
            for name, field in fields.items()
            if name not in choices and (field.is_required() or name in OFTEN or self._now())
        }
        return {
            key(name, field): self._said(key(name, field), *typed(field))
            for name, field in fields.items()
            if name in written or name == taken
        }

    def _said(self, name: str, kind: Any, marks: tuple[object, ...]) -> Any:
        """What others say there, four times of five, or any value."""
        said = [each for each in self.known.get(name, ()) if _fits(each, kind, marks)]
        return self.draw(st.sampled_from(said)) if said and self._mostly() else self.value(kind, marks)

    def _mostly(self) -> bool:
        return self.draw(st.integers(0, 4)) > 0

    def _now(self) -> bool:
        return self.draw(st.integers(0, self.every)) == 0

    def value(self, kind: Any, marks: tuple[object, ...]) -> Any:
        """A value of that type, within the bounds that its marks set."""
        unit = next((each for each in marks if isinstance(each, Unit)), None)
        if unit:
            return self.draw(st.sampled_from(_quantities(unit)))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self.map(kind)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Literal:
            return self.draw(st.sampled_from(arguments))
        if origin is tuple:
            return self._list(*bare(arguments[0]), _bound(marks, "min_length", 0))
        if origin is dict:
            words, values = bare(arguments[0]), bare(arguments[1])
            return {self.value(*words): self.value(*values) for _ in range(self.draw(st.integers(0, 2)))}
        if kind is bool:
            return self.draw(st.booleans())
        if kind in (int, float):
            low = _bound(marks, "ge", _bound(marks, "gt", 0))
            return self.draw(
                st.integers(int(low), int(_bound(marks, "le", _bound(marks, "lt", max(low, 100)))))
            )
        return self._text(marks) if kind is str else self.draw(self.anything)

    def _list(self, kind: Any, marks: tuple[object, ...], fewest: int) -> list[Any]:
        """Its things mostly have names of their own: of two with one name nothing else is said."""
        items = [self.value(kind, marks) for _ in range(self.draw(st.integers(fewest, fewest + 2)))]
        named = isinstance(kind, type) and issubclass(kind, Item)
        if not named or self.draw(st.integers(0, 9)) == 0:
            return items
        names = self.draw(st.permutations(NAMES))
        return [each | {"name": name} for each, name in zip(items, names, strict=False)]

    def _text(self, marks: tuple[object, ...]) -> str:
        pattern, longest = _bound(marks, "pattern", None), _bound(marks, "max_length", None)
        if pattern in WORDS:
            return self.draw(st.sampled_from(WORDS[pattern]))
        if pattern:
            return self.draw(st.from_regex(pattern, fullmatch=True, alphabet=PRINTABLE))[:longest]
        return self.draw(st.text(PRINTABLE, min_size=_bound(marks, "min_length", 0), max_size=12))


def patterns(kind: Any = Pipeline, marks: tuple[object, ...] = ()) -> Iterator[str]:
    """Every pattern that a text of the language has to fit."""
    if any(isinstance(each, Unit) for each in marks):
        return
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if name != "environments" and not is_later(field):
                yield from patterns(*typed(field))
    elif get_origin(kind) in (tuple, dict):
        for each in get_args(kind):
            if each is not Ellipsis:
                yield from patterns(*bare(each))
    elif kind is str and (pattern := _bound(marks, "pattern", None)):
        yield pattern


OFTEN = ("services", "workers", "jobs")
"""Without any of these a pipeline says little."""


def _quantities(unit: Unit) -> list[str]:
    if unit.word == "image":
        return [*NAMES, *unit.examples]
    return [*unit.examples, *(each for each in QUANTITIES if re.fullmatch(unit.pattern, each))]


def _fits(value: Any, kind: Any, marks: tuple[object, ...]) -> bool:
    """Whether a value that stands under such a key elsewhere can stand here."""
    unit = next((each for each in marks if isinstance(each, Unit)), None)
    if unit:
        return isinstance(value, str) and re.fullmatch(unit.pattern, value) is not None
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if not isinstance(kind, type) or type(value) is not kind:
        return False
    return not isinstance(value, str) or re.search(_bound(marks, "pattern", ""), value) is not None


def _bound(marks: tuple[object, ...], name: str, otherwise: Any) -> Any:
    found = (getattr(mark, name, None) for mark in marks)
    return next((each for each in found if each is not None), otherwise)


MADE: dict[str, dict[str, Any]] = {
    "images": {},
    "capacity": {"fargate": {}},
    "models": {},
    "loadBalancers": {},
    "volumes": {"efs": {}},
}
THERE = {"fargate", "fargate-spot", "public", "internal"}


def _declare(spec: dict[str, Any]) -> None:
    """Let there be what workloads name, or few other rules would ever be asked."""
    for section in OFTEN:
        # Nothing that runs is called as another thing is.
        spec[section] = [each | {"name": f"{section[0]}-{each['name'][:30]}"} for each in spec[section]]
    named: dict[str, set[str]] = {section: set() for section in MADE}
    prefixes: set[str] = set()
    for each in (*spec["services"], *spec["workers"], *spec["jobs"]):
        own = {volume["name"] for volume in each.get("volumes", ())}
        named["images"] |= {each["image"]} - {"public.ecr.aws/docker/library/redis:7"}
        named["capacity"] |= {each.get("capacity", "fargate")}
        named["models"] |= {*each.get("loads", ()), *each.get("produces", ())}
        named["loadBalancers"] |= {route.get("loadBalancer", "internal") for route in each.get("ingress", ())}
        named["volumes"] |= {mount["name"] for mount in each.get("volumeMounts", ())} - own
        prefixes |= {*each.get("reads", ()), *each.get("writes", ())}
    for section, names in named.items():
        there = {each["name"] for each in spec.get(section, ())}
        if missing := sorted(names - there - THERE):
            made = [{"name": name, **MADE[section]} for name in missing]
            spec[section] = [*spec.get(section, ()), *made]
    if prefixes and "buckets" not in spec:
        spec["buckets"] = [{"name": "made", "prefixes": [{"name": name} for name in sorted(prefixes)]}]
