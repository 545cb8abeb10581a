"""`mlopsgen render`: one environment's pipeline, and where each value of it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsgen.cli import GOOD, add_file, file_of
from mlopsgen.diagnostics.fault import UserFault

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mlopsgen.diagnostics.span import Span
    from mlopsgen.source.node import Node
    from mlopsgen.text.show import Origin


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_file(parser)
    parser.add_argument("--env", metavar="NAME", help="the environment (default: the only one)")
    parser.add_argument("--defaults", action="store_true", help="write out what the file leaves to defaults")
    parser.add_argument(
        "-o", "--output", choices=("yaml", "json"), default="yaml", help="the form (default: yaml)"
    )
    parser.epilog = (
        "The output is a pipeline itself. A comment says the line that a value was written on, with the "
        "environment in brackets if that was in one; `default` stands for no line at all. The pipeline has "
        "to fit the language, but is not checked further."
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if the file does not fit the language, or there is no such environment."""
    from pathlib import Path

    from mlopsgen.language.fill import escaped
    from mlopsgen.language.load import load
    from mlopsgen.language.walk import root_field
    from mlopsgen.model.pipeline import Pipeline
    from mlopsgen.source.parse import parse
    from mlopsgen.source.read import read

    name = file_of(arguments)
    root = parse(read(Path(name), name), name)
    loaded = {each.environment: each for each in load(root, Pipeline)}
    chosen = _choose(arguments.env, sorted(loaded))
    tree = loaded[chosen].tree
    if arguments.defaults:
        from mlopsgen.language.defaults import with_defaults

        tree = with_defaults(tree, loaded[chosen].pipeline)
    tree = escaped(tree, root_field(Pipeline))
    if arguments.output == "json":
        import json

        from mlopsgen.source.node import plain

        print(json.dumps(plain(tree), indent=2, ensure_ascii=False))
        return GOOD
    from mlopsgen.text.show import show

    print(show(tree, _origin(root, chosen)), end="")
    return GOOD


def _choose(wanted: str | None, known: Sequence[str]) -> str:
    """The environment to show. Raises `UserFault` if there is none of the name, or several without one."""
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted is None:
        raise UserFault(f"choose an environment with --env: {', '.join(known)}")
    if wanted in known:
        return wanted
    from mlopsgen.diagnostics.closest import closest

    close = closest(wanted, known)
    hint = f"did you mean `{close}`?" if close else f"there are: {', '.join(known)}"
    raise UserFault(f"there is no environment `{wanted}`; {hint}")


def _origin(root: Node, environment: str) -> Origin:
    from mlopsgen.language.defaults import DEFAULT
    from mlopsgen.source.node import find

    path = ("spec", "environments", environment)
    node, _, taken = find(root, path)
    part = node.span if taken == len(path) else None

    def origin(span: Span) -> str:
        if span == DEFAULT:
            return "default"
        here = f"{span.file}:{span.line}"
        return f"{here} ({environment})" if part and _within(span, part) else here

    return origin


def _within(span: Span, whole: Span) -> bool:
    start, place, end = (
        (whole.line, whole.column),
        (span.line, span.column),
        (whole.end_line, whole.end_column),
    )
    return start <= place < end
