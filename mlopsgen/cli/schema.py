"""`mlopsgen schema`: the language for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsgen.cli import GOOD

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options: none."""
    parser.epilog = (
        "Write it beside the pipeline with `mlopsgen schema > pipeline.schema.json`; an editor with the YAML "
        "language server then completes and checks a pipeline that starts with the line "
        "`# yaml-language-server: $schema=pipeline.schema.json`."
    )


def run(arguments: argparse.Namespace) -> int:
    """Print JSON Schema 2020-12."""
    import json

    from mlopsgen.language.schema import schema
    from mlopsgen.model.pipeline import Pipeline

    print(json.dumps(schema(Pipeline), indent=2, ensure_ascii=False))
    return GOOD
