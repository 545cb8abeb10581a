"""YAML to nodes: every place kept, YAML 1.2's scalars, nothing guessed, and limits on what a file may do."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label, Rejected
from mlopsgen.diagnostics.span import Span
from mlopsgen.source import characters
from mlopsgen.source.node import Mapping, Node, Scalar, Sequence

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 1_000_000

# libyaml's own limit on open brackets, which it meets while it looks ahead (scanner.c, MAX_NESTING_LEVEL).
_LIBYAML_DEPTH = 1000

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONSTANTS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def resolve(text: str) -> bool | int | float | str | None:
    """A plain scalar by YAML 1.2's core schema, but for digits with a leading zero, which stay a string.

    `no`, `22:22` and `017` are strings: an account such as 012345678901 must not lose its zero. So are
    numbers that are too large for a computer: none becomes infinite, which JSON cannot say.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text) and len(text) <= 20:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) <= 40 and math.isfinite(number := float(text)):
        return number
    return text


def parse(text: str, file: str) -> Node:
    """The one document of `text`. Raises `Rejected` with E001 to E009."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Rejected([_fault("E002", Span(file, 1, 1, 1, 2), f"the file is larger than {MAX_BYTES} bytes")])
    if found := _SURROGATE.search(text):
        message = f"the lone surrogate U+{ord(found[0]):04X} is no character"
        raise Rejected([_fault("E001", Span(file, 1, 1, 1, 2), message, "take it away")])
    if turned := characters.turned(text, file):
        raise Rejected([turned])
    try:
        return _Builder(file).build(yaml.parse(text, Loader=_loader()))
    except yaml.MarkedYAMLError as error:
        raise Rejected([_grammar(error, text, file)]) from None
    except yaml.reader.ReaderError as error:
        raise Rejected([_fault("E001", Span(file, 1, 1, 1, 2), error.reason)]) from None


def _grammar(error: yaml.MarkedYAMLError, text: str, file: str) -> Diagnostic:
    """What libyaml has to say, and in the commonest cases in other words, with what to do."""
    mark = error.problem_mark or error.context_mark
    at, since = _mark(file, mark), _mark(file, error.context_mark)
    problem, context = error.problem or "this is not YAML", error.context or ""
    lines = text.splitlines()
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    char = line[at.column - 1 : at.column]
    if "maximum nesting depth" in problem:
        return _fault("E003", _too_deep(line, at), f"nested more than {MAX_DEPTH} deep")
    # What is wrong in a line is often noticed in the next.
    for number in range(max(at.line - 2, 1), at.line + 1):
        if number > len(lines):
            continue
        if odd := characters.odd(lines[number - 1], Span(file, number, 1, 0, 0)):
            return odd
        # What cannot begin a value is seen by itself.
        if "cannot start any token" not in problem and (
            unseen := characters.hidden_in(lines[number - 1], file, number)
        ):
            return unseen
    message, help_ = " ".join(part for part in (context, problem) if part), None
    labels: tuple[Label, ...] = (Label(at),)
    if "cannot start any token" in problem or "tab character" in problem:
        message = "a tab cannot stand here" if char == "\t" else f"`{char}` cannot begin a value"
        help_ = "indent with spaces" if char == "\t" else "put the value in quotes"
    elif "mapping values are not allowed" in problem:
        message, help_ = "a value cannot hold `: `", "put the value in quotes, or begin a new line"
    elif "parsing a flow" in context:
        opened, closed = ("{", "}") if "mapping" in context else ("[", "]")
        message = f"expected `,` or `{closed}`"
        labels = (Label(at), Label(since, f"`{opened}` is not closed"))
        if line[: at.column].endswith("${"):
            message = f"`${{` cannot stand between `{opened}` and `{closed}`"
            help_ = "put the value in quotes"
            labels = (Label(at),)
    elif "scanning an alias" in context:
        message, help_ = "`*` cannot begin a value", "put the value in quotes"
        labels = (Label(since),)
    elif "scanning a quoted scalar" in context:
        message, labels = "a quote is not closed", (Label(since),)
    elif "parsing a block mapping" in context:
        message, help_ = "expected a key", "the keys of a map begin in the same column"
        labels = (Label(at), Label(since, "the map begins here"))
    elif "parsing a block collection" in context:
        message, help_ = "expected `-`", "the items of a list begin in the same column, each with `- `"
        labels = (Label(at), Label(since, "the list begins here"))
    elif "could not find expected ':'" in problem:
        message, help_ = "expected `:` after a key", "write `key: value`"
        labels = (Label(since),)
    return Diagnostic("E001", "error", message, labels, help_)


def _mark(file: str, mark: Any) -> Span:
    """The one character that libyaml points to; the first of the file if it points nowhere."""
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Span(file, line, column, line, column + 1)


def _too_deep(line: str, at: Span) -> Span:
    """The bracket that is one too many, of those that libyaml has counted up to `at`."""
    opened = [index + 1 for index, char in enumerate(line[: at.column - 1]) if char in "[{"]
    column = opened[-_LIBYAML_DEPTH:][MAX_DEPTH] if len(opened) >= _LIBYAML_DEPTH else at.column
    return Span(at.file, at.line, column, at.line, column + 1)


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _fault(code: str, span: Span, message: str, help_: str | None = None) -> Diagnostic:
    return Diagnostic(code, "error", message, (Label(span),), help_)


class _Builder:
    """Builds the tree from the parser's events without recursion: a deep file cannot exhaust the stack."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.faults: list[Diagnostic] = []
        self.nodes = 0

    def span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def stop(self, code: str, span: Span, message: str, help_: str | None = None) -> Rejected:
        return Rejected([*self.faults, _fault(code, span, message, help_)])

    def build(self, events: Iterator[Any]) -> Node:
        stack: list[tuple[Any, list[Node], int]] = []
        root: Node | None = None
        for event in events:
            done: Node | None = None
            size = 1
            match event:
                case yaml.DocumentStartEvent() if root is not None:
                    raise self.stop("E004", self.span(event), "the file holds more than one document")
                case yaml.ScalarEvent():
                    done = self.scalar(event)
                    self.remember(event, done, 1)
                case yaml.AliasEvent():
                    if event.anchor not in self.anchors:
                        raise self.stop("E005", self.span(event), f"nothing is anchored as `{event.anchor}`")
                    done, size = self.anchors[event.anchor]
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    if len(stack) >= MAX_DEPTH:
                        raise self.stop("E003", self.span(event), f"nested more than {MAX_DEPTH} deep")
                    self.tag(event)
                    stack.append((event, [], self.nodes))
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    start, items, before = stack.pop()
                    begin, end = self.span(start), self.span(event)
                    span = Span(self.file, begin.line, begin.column, end.end_line, end.end_column)
                    done = (
                        Sequence(tuple(items), span)
                        if isinstance(event, yaml.SequenceEndEvent)
                        else self.mapping(items, span)
                    )
                    self.remember(start, done, self.nodes - before + 1)
            if done is None:
                continue
            self.nodes += size
            if self.nodes > MAX_NODES:
                raise self.stop(
                    "E003", self.span(event), f"more than {MAX_NODES:,} values once aliases are followed"
                )
            if stack:
                stack[-1][1].append(done)
            else:
                root = done
        if self.faults:
            raise Rejected(self.faults)
        return root or Scalar(None, Span(self.file, 1, 1, 1, 2), "")

    def remember(self, event: Any, node: Node, size: int) -> None:
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, size)

    def tag(self, event: Any) -> None:
        if event.tag not in (None, "!"):
            self.faults.append(
                _fault("E006", self.span(event), f"the tag `{event.tag}` means nothing here", "take it away")
            )

    def scalar(self, event: Any) -> Scalar:
        self.tag(event)
        span = self.span(event)
        if wrong := characters.unseen(event.value, span):
            self.faults.append(wrong)
        plain = event.style in (None, "") and event.tag != "!"
        return Scalar(resolve(event.value) if plain else event.value, span, event.value)

    def mapping(self, items: list[Node], span: Span) -> Mapping:
        pairs: list[tuple[Scalar, Node]] = []
        seen: dict[str, Scalar] = {}
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.faults.append(_fault("E007", key.span, "a key must be a string"))
                continue
            name = key.text
            if name == "<<" and key.value == "<<":
                self.faults.append(
                    _fault(
                        "E008", key.span, "merge keys are not part of the language", "write the values out"
                    )
                )
                continue
            if name in seen:
                first = Label(seen[name].span, "first given here")
                self.faults.append(
                    Diagnostic("E009", "error", f"the key `{name}` is given twice", (Label(key.span), first))
                )
                continue
            seen[name] = key
            pairs.append((Scalar(name, key.span, name), value))
        return Mapping(tuple(pairs), span)
