"""`mlopsgen diff`: what a merge will do, before it is merged."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlopsgen.cli import GOOD, PIPELINE, REJECTED, colour, nearest_pipeline
from mlopsgen.diagnostics.fault import UserFault

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from mlopsgen.aws.prices import Price
    from mlopsgen.forecast.report import Report
    from mlopsgen.forecast.sides import Sides

FORMS = ("text", "markdown", "html", "json", "sarif", "github")
OUTPUT = "generated"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "what",
        nargs="*",
        metavar="REF | FOLDER | ENV ENV",
        help="what is deployed: a commit of Git, or a folder that an earlier build wrote (default: where "
        "this branch left the default branch); or two environments, to see how they differ",
    )
    parser.add_argument(
        "-f",
        "--file",
        dest="option_file",
        metavar="FILE",
        help=f"the pipeline (default: {PIPELINE}, here or above)",
    )
    parser.add_argument(
        "-d", "--output-dir", metavar="FOLDER", help="where `build` writes (default: generated)"
    )
    parser.add_argument("--env", metavar="NAME", help="only this environment")
    parser.add_argument(
        "-o",
        "--output",
        choices=FORMS,
        default="text",
        metavar="FORM",
        help=f"the form: {', '.join(FORMS)} (default: text)",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="name what only follows, too, and each source"
    )
    parser.add_argument("--exit-code", action="store_true", help="exit 1 if anything changes")
    parser.add_argument(
        "--fail-on",
        metavar="CONCERNS",
        help="exit 1 if one of these comes, too: outage, data, rights, reach, orphan, silent, cost, "
        "cost:+20%%, cost:100USD",
    )
    parser.add_argument(
        "--prices", metavar="FILE", help="prices of your own contract, in the form of AWS's public ones"
    )
    parser.epilog = (
        "Nothing is asked of AWS. Each verdict names the lines of the pipeline that caused it, and what "
        "works instead; `mlopsgen explain RULE` has its source. Exit code 1 if a deployment cannot get to "
        "its end."
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if the pipeline is rejected, a deployment would stop, or a gate is shut."""
    import gc

    # All that is made lives until the end, which is near.
    gc.disable()
    name = arguments.option_file or nearest_pipeline()
    if len(arguments.what) > 1:
        return _environments(name, arguments)
    from mlopsgen.forecast.gate import gates, shut
    from mlopsgen.forecast.report import report
    from mlopsgen.forecast.reviewed import reviewed
    from mlopsgen.forecast.sides import sides
    from mlopsgen.source.read import read

    wanted = gates(arguments.fail_on or "")
    contract = _contract(arguments.prices)
    output = arguments.output_dir or str(Path(name).parent / OUTPUT)
    what = arguments.what[0] if arguments.what else None
    path = Path(name)
    text = read(path, name)
    both = sides(reviewed(what, name, output), text, name, path.parent, contract)
    found = report(both, name, _chosen(arguments.env, both), _stale(path, text, output))
    _say(found, arguments)
    failed = [(each.environment, gate) for each in found.outlooks for gate in shut(each, wanted)]
    for environment, gate in failed:
        print(f"mlopsgen: {environment}: --fail-on {gate}", file=sys.stderr)
    return REJECTED if found.stops or failed or (arguments.exit_code and found.changes) else GOOD


def _chosen(wanted: str | None, both: Sides) -> Sequence[str]:
    there = both.environments
    if wanted is None:
        return there
    if wanted not in there:
        raise UserFault(f"there is no environment `{wanted}`; there are: {', '.join(there)}")
    return (wanted,)


def _contract(file: str | None) -> Mapping[str, Mapping[str, Price]]:
    if file is None:
        return {}
    from mlopsgen.aws.prices import Unpriced, read
    from mlopsgen.source.read import read as read_text

    try:
        return read(read_text(Path(file), file), file)
    except Unpriced as error:
        raise UserFault(str(error)) from None


def _stale(path: Path, text: str, output: str) -> Sequence[str]:
    """Whether what would be reviewed is not what the pipeline compiles to."""
    from mlopsgen.manifest import digest, read_manifest

    inputs = read_manifest(output).get("inputs", {})
    if inputs and inputs.get(path.name) != digest(text.encode()):
        return (f"{output} was built from another {path.name}: `mlopsgen build` brings it up to date",)
    return ()


def _say(found: Report, arguments: argparse.Namespace) -> None:
    form = arguments.output
    if form == "text":
        from mlopsgen.forecast.forms import text

        print(text.write(found, colour=colour(sys.stdout), verbose=arguments.verbose), end="")
    elif form == "markdown":
        from mlopsgen.forecast.forms import markdown

        print(markdown.write(found), end="")
    elif form == "html":
        from mlopsgen.forecast.forms import html

        print(html.write(found), end="")
    else:
        from mlopsgen.forecast.forms import machine

        write = {"json": machine.json_text, "sarif": machine.sarif, "github": machine.github}[form]
        print(write(found), end="")


def _environments(name: str, arguments: argparse.Namespace) -> int:
    """How two environments of the pipeline differ, in its own words."""
    from mlopsgen.diagnostics.closest import closest
    from mlopsgen.forecast.edits import edits
    from mlopsgen.language.load import load
    from mlopsgen.model.pipeline import Pipeline
    from mlopsgen.source.parse import parse
    from mlopsgen.source.read import read

    if len(arguments.what) > 2:
        raise UserFault("name one thing to compare with, or two environments")
    loaded = {each.environment: each for each in load(parse(read(Path(name), name), name), Pipeline)}
    for each in arguments.what:
        if each not in loaded:
            close = closest(each, loaded)
            hint = f"did you mean `{close}`?" if close else f"there are: {', '.join(sorted(loaded))}"
            raise UserFault(f"there is no environment `{each}`; {hint}")
    one, other = arguments.what
    found = edits(loaded[one].tree, loaded[other].tree)
    if arguments.output == "json":
        import json

        items = [
            {"path": each.name, "line": each.span.line, one: each.old_value, other: each.new_value}
            for each in found
        ]
        print(json.dumps({"differences": items}, indent=2, ensure_ascii=False))
    elif arguments.output != "text":
        raise UserFault(f"two environments are compared as text or json, not as {arguments.output}")
    elif not found:
        print(f"{one} and {other} are the same")
    else:
        print(f"{one} -> {other}")
        for each in found:
            print(f"  {each.title}  ({each.span.file}:{each.span.line})")
    return REJECTED if arguments.exit_code and found else GOOD
