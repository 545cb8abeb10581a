"""The words of diagnostics about a document: where something stands, what it is called, what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.source.node import Mapping, Node, Scalar, Sequence, find

# What one thing of a list is called, where it is not the list's own word without its `s`.
_NOUNS = {
    "capacity": "pool",
    "egress": "way out",
    "ingress": "route",
    "notify": "receiver",
    "ownAlarms": "alarm",
    "reads": "prefix",
    "volumeMounts": "mount",
    "writes": "prefix",
}


def error(code: str, message: str, help_: str | None, *labels: Label) -> Diagnostic:
    """A fault of the user's file."""
    return Diagnostic(code, "error", message, labels, help_)


def noun(word: str) -> str:
    """What one thing of the list `word` is called: `service` of `services`, `load balancer`, `pool`."""
    if word in _NOUNS:
        return _NOUNS[word]
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("ches", "xes")):
        word = word[:-2]
    else:
        word = word.removesuffix("s")
    return re.sub("[A-Z]", lambda found: f" {found[0].lower()}", word)


def called(root: Node, path: SpecPath) -> str:
    """`spec.services[sentiment-api]` rather than `spec.services.0`."""
    words: list[str] = []
    for index, step in enumerate(path):
        if isinstance(step, int):
            item, _, _ = find(root, path[: index + 1])
            name = item.get("name") if isinstance(item, Mapping) else None
            words.append(f"[{short(name.text) if isinstance(name, Scalar) else step}]")
        else:
            words.append(f".{short(step)}" if words else short(step))
    return f"`{''.join(words)}`" if words else "the file"


def last_key(path: SpecPath) -> str:
    """The last key of a path: an item of a list goes by the list's name."""
    return next((step for step in reversed(path) if isinstance(step, str)), "the file")


def short(text: str) -> str:
    """The text, or its beginning."""
    return text if len(text) <= 40 else text[:37] + "..."


def listed(words: Iterable[str], most: int = 12) -> str:
    """`api, worker`, and how many more there are."""
    known = sorted(words)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def one_of(words: Iterable[str]) -> str:
    """`` `api` or `worker` ``."""
    *others, last = (f"`{word}`" for word in words)
    return f"{', '.join(others)} or {last}" if others else last


def flow(node: Node) -> str | None:
    """A value as one would write it in one line, or None if it is too long for one."""
    match node:
        case Scalar(value=str(text)):
            written = quoted(text)
        case Scalar(text=text):
            written = text or "null"
        case Sequence(items=items):
            written = _joined("[{}]", [flow(item) for item in items])
        case Mapping(items=pairs):
            written = _joined("{{{}}}", [_pair(key, value) for key, value in pairs])
    return written if written and len(written) <= 60 and written.isprintable() else None


def _pair(key: Scalar, value: Node) -> str | None:
    written = flow(value)
    return None if written is None else f"{quoted(key.text)}: {written}"


def _joined(form: str, parts: list[str | None]) -> str:
    return "" if None in parts else form.format(", ".join(part for part in parts if part is not None))


def quoted(text: str) -> str:
    """The text as it stands in YAML between brackets too: in quotes where it needs them."""
    from mlopsgen.source.parse import resolve

    if re.fullmatch(r"-{0,2}[A-Za-z0-9_./][A-Za-z0-9_./@%+=:-]*", text) and isinstance(resolve(text), str):
        return f'"{text}"' if text.endswith(":") else text
    import json

    return json.dumps(text, ensure_ascii=False)
