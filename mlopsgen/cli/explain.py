"""`mlopsgen explain`: the story of a code, or the reference of a part of the language."""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

from mlopsgen.cli import GOOD
from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.fault import UserFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

    from mlopsgen.diagnostics.finding import Story

WIDTH = 80

MOST = 12
"""Places of a key that are listed."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "topic",
        nargs="?",
        default="spec",
        metavar="TOPIC",
        help="a code such as E203, `codes` for all of them, a rule of `diff` such as priority-in-use, or a "
        "path such as spec.services.replicas (default: spec)",
    )
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="who reads it (default: text)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Raises `UserFault` if there is no such code or path."""
    topic = arguments.topic.strip()
    if topic == "codes":
        print(json.dumps(_codes(), indent=2) if arguments.output == "json" else _listed(_codes()))
        return GOOD
    found = _rule(topic) or (_code(topic.upper()) if re.fullmatch(r"[A-Za-z]\d+", topic) else _path(topic))
    print(json.dumps(found, indent=2) if arguments.output == "json" else _text(found))
    return GOOD


def _codes() -> dict[str, str]:
    """Every code with its title."""
    from mlopsgen.rules.catalogue import titles

    return titles()


def _listed(titles: dict[str, str]) -> str:
    return "\n".join(f"{code}  {title}" for code, title in titles.items())


def _code(code: str) -> dict[str, Any]:
    from mlopsgen.rules.catalogue import stories

    known = stories()
    if code not in known:
        raise UserFault(f"there is no code {code}; `mlopsgen explain codes` lists them")
    story: Story = known[code]
    return {
        "code": code,
        "severity": "warning" if code.startswith("W") else "error",
        "title": story.title,
        "text": story.text,
        "wrong": story.wrong or None,
        "right": story.right or None,
        "source": story.source() if story.source else None,
    }


def _rule(name: str) -> dict[str, Any] | None:
    """What a rule of motion says; None if there is none of the name."""
    if "-" not in name or "." in name:
        return None
    from mlopsgen.motion.rule import rules

    for each in rules():
        if each.name == name:
            return {"rule": name, "kind": each.kind, "instead": each.instead, "source": each.source}
    return None


def _path(topic: str) -> dict[str, Any]:
    """What the reference says of a path; list indices and names of environments may stand in it."""
    from mlopsgen.language.page import entry
    from mlopsgen.language.reference import describe, docstrings, fields, model_at
    from mlopsgen.model.pipeline import Pipeline

    steps = [each for each in re.split(r"[.\[\]]+", topic) if each and not each.isdigit()]
    if steps and steps[0] not in fields(Pipeline, ()):
        # `services` is as good as `spec.services`.
        if steps[0] in fields(Pipeline, ("spec",)):
            steps = ["spec", *steps]
        elif places := list(_places(tuple(steps))):
            if len(places) > 1:
                raise UserFault(_several(topic, places))
            steps = list(places[0])
        elif close := closest(steps[0], {place[-1] for place in _places(())}):
            raise UserFault(f"the language has no key `{steps[0]}`; did you mean `{close}`?")
    known: tuple[str, ...] = ()
    for step in steps:
        below = fields(Pipeline, known)
        if step not in below and not _names_an_environment(known):
            raise UserFault(_unknown(".".join(known), step, sorted(below)))
        known = (*known, step)
    parent, model = model_at(Pipeline, known[:-1]), model_at(Pipeline, known)
    field = _field(parent, known[-1]) if known and parent else None
    return {
        "path": ".".join(known) or "pipeline",
        **(
            entry(field)
            if field
            else {
                "type": "map",
                "range": None,
                "required": False,
                "default": None,
                "choice": False,
                "later": False,
            }
        ),
        "text": describe(Pipeline, known) or " ".join((model.__doc__ or "").split() if model else ()),
        "fields": [
            {
                "name": each.alias or name,
                **entry(each),
                "text": docstrings(model).get(name, ""),
            }
            for name, each in model.model_fields.items()
        ]
        if model
        else [],
    }


def _places(end: tuple[str, ...], path: tuple[str, ...] = ("spec",)) -> Iterator[tuple[str, ...]]:
    """The paths of the language that end like `end`, all without one; environments repeat them."""
    from mlopsgen.language.reference import fields
    from mlopsgen.model.pipeline import Pipeline

    for name in fields(Pipeline, path):
        below = (*path, name)
        if below[len(below) - len(end) :] == end:
            yield below
        # A part that holds itself has been seen.
        if name not in path and not _names_an_environment(below):
            yield from _places(end, below)


def _several(topic: str, places: Sequence[tuple[str, ...]]) -> str:
    listed = "".join(f"\n  mlopsgen explain {'.'.join(each)}" for each in places[:MOST])
    more = f"\n  and {len(places) - MOST} more" if len(places) > MOST else ""
    return f"`{topic}` stands in several places:{listed}{more}"


def _names_an_environment(path: tuple[str, ...]) -> bool:
    return path == ("spec", "environments")


def _unknown(path: str, step: str, known: list[str]) -> str:
    close = closest(step, known)
    where = f"`{path}` has no key `{step}`" if path else f"the language has no key `{step}`"
    if close:
        return f"{where}; did you mean `{'.'.join((path, close)).lstrip('.')}`?"
    if known:
        return f"{where}; it has {', '.join(known)}"
    return f"{where}: it is no map"


def _field(model: type[BaseModel] | None, name: str) -> Any:
    for attribute, field in model.model_fields.items() if model else ():
        if (field.alias or attribute) == name:
            return field
    return None


def _text(found: dict[str, Any]) -> str:
    if "rule" in found:
        return "\n".join(_of_rule(found))
    return "\n".join(_of_code(found) if "code" in found else _of_path(found))


def _of_rule(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['rule']}: a rule of `mlopsgen diff`, of what {found['kind']}", ""]
    return [*lines, *_wrap(f"Instead: {found['instead']}."), "", *_wrap(f"Source: {found['source']}.")]


def _of_code(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['code']} ({found['severity']}): {found['title']}", "", *_wrap(found["text"])]
    for word in ("wrong", "right"):
        if found[word]:
            lines += ["", f"{word.capitalize()}:", "", textwrap.indent(found[word], "    ")]
    if found["source"]:
        lines += ["", *_wrap(f"Decided by {found['source']}.")]
    return lines


def _of_path(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['path']}  <{found['type']}>{_note(found)}", "", *_wrap(found["text"])]
    if found["fields"]:
        lines += ["", "Fields:"]
    for each in found["fields"]:
        lines += ["", f"  {each['name']}  <{each['type']}>{_note(each)}", *_wrap(each["text"], "    ")]
    return lines


def _note(entry: dict[str, Any]) -> str:
    notes = [
        entry["range"] or "",
        "required" if entry["required"] else "",
        "one of several" if entry["choice"] else "",
        "not yet" if entry["later"] else "",
    ]
    if entry["default"] is not None:
        notes.append(f"default: {_yaml(entry['default'])}")
    return "".join(f"  {each}" for each in notes if each)


def _yaml(value: Any) -> str:
    """A default as one would write it on one line."""
    match value:
        case bool() | int() | float():
            return json.dumps(value)
        case dict():
            return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(_yaml(item) for item in value) + "]"
        case _:
            return str(value)


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
