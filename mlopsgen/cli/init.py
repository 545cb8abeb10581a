"""`mlopsgen init`: a new project, small, whole, and built at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlopsgen.cli import GOOD
from mlopsgen.diagnostics.fault import UserFault

if TYPE_CHECKING:
    import argparse


class InitTemplate(NamedTuple):
    """A kind of project."""

    about: str
    """What it is for, for people."""

    folders: tuple[str, ...]
    """The folders of `templates/init` whose files are copied as they are."""

    parameters: str = ""
    """The trainer's, as the pipeline says them; without any there is no trainer."""

    request: str = ""
    """A body that its service answers, as JSON; without one there is no service."""


_ROW = '{"features": {"pressure": 3.0, "temperature": 81, "vibration": 0.6}}'

TEMPLATES: Mapping[str, InitTemplate] = {
    "tabular": InitTemplate(
        "numbers in CSV files, with scikit-learn",
        ("shared", "job", "server", "table", "estimator", "tabular"),
        "{degree: 2, strength: 1}",
        _ROW,
    ),
    "image": InitTemplate(
        "images, with PyTorch and ONNX",
        ("shared", "job", "server", "image"),
        "{epochs: 20, batchSize: 16, learningRate: 0.003}",
        '{"image": "\'$(base64 -w0 data/raw/circle/000.png)\'"}',
    ),
    "text": InitTemplate(
        "texts in CSV files, with scikit-learn",
        ("shared", "job", "server", "estimator", "text"),
        "{words: 2, strength: 10}",
        '{"text": "where is my parcel"}',
    ),
    "trainer": InitTemplate(
        "a trainer alone, with numpy",
        ("shared", "job", "table", "linear", "trainer"),
        parameters="{epochs: 500, learningRate: 0.5, l2: 0.001}",
    ),
    "service": InitTemplate(
        "a service alone, whose image brings its model",
        # Of the store it has what it takes to load a model from there some day.
        ("shared", "server", "linear", "service"),
        request=_ROW,
    ),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("name", metavar="NAME", help="what the pipeline and its folder are called")
    parser.add_argument(
        "--template",
        choices=tuple(TEMPLATES),
        default="tabular",
        help="what it learns from: "
        + "; ".join(f"{name} ({each.about})" for name, each in TEMPLATES.items())
        + ". Default: tabular",
    )
    parser.add_argument(
        "--region", default="us-east-1", help="the AWS region of the pipeline (default: us-east-1)"
    )
    parser.add_argument(
        "-d",
        "--output-dir",
        metavar="FOLDER",
        help="the folder to make (default: NAME); what is there stays untouched",
    )
    parser.epilog = "The new folder holds a README.md that says how to go on."


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if the name or the region cannot be used, or the folder is there already."""
    from mlopsgen.compile import compile_pipeline

    target = Path(arguments.output_dir or arguments.name)
    _check(arguments.name, arguments.region)
    files = dict(_files(arguments.template, arguments.name, arguments.region))
    # The whole of it, before anything is written: a name can be too long for what AWS makes of it.
    compile_pipeline(files["pipeline.yaml"].decode(), f"{target}/pipeline.yaml")
    _write(target, files)
    print(f"{target}: {len(files)} files written")
    print(f"`cd {target} && mlopsgen build` compiles it; README.md says how to go on.")
    return GOOD


def _check(name: str, region: str) -> None:
    """Raises `UserFault` unless the language takes both as they are."""
    from pydantic import TypeAdapter, ValidationError

    from mlopsgen.language.base import Name
    from mlopsgen.model.pipeline import AwsSpec

    try:
        TypeAdapter[str](Name).validate_python(name)
    except ValidationError:
        raise UserFault(
            f"`{name}` cannot be the name of a pipeline: use at most 32 lowercase letters, digits and single "
            "hyphens, the first a letter, such as `churn-model`"
        ) from None
    try:
        AwsSpec.model_validate({"region": region})
    except ValidationError:
        raise UserFault(f"`{region}` is not a region of AWS; one is `eu-west-1`") from None


def _files(template: str, name: str, region: str) -> Iterator[tuple[str, bytes]]:
    """The path and content of each file of the new project."""
    import json

    from mlopsgen.language.schema import schema
    from mlopsgen.model.pipeline import Pipeline
    from mlopsgen.text.templates import folder, render
    from mlopsgen.text.yaml import scalar

    chosen = TEMPLATES[template]
    values = {"name": name, "quoted": scalar(name), "region": region, "kind": template, **chosen._asdict()}
    for path in ("README.md", "pipeline.yaml"):
        yield path, render(f"init/{path}.j2", **values).encode()
    yield "pipeline.schema.json", (json.dumps(schema(Pipeline), indent=2, ensure_ascii=False) + "\n").encode()
    source = folder() / "init"
    yield ".gitignore", (source / "gitignore").read_bytes()
    for part in chosen.folders:
        for file in sorted((source / part).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(source / part).as_posix(), file.read_bytes()


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """Put all files into the folder, or none; what is there stays as it is. Raises `UserFault`."""
    tops = sorted({path.split("/")[0] for path in files})
    there = target.is_dir()
    if not there and os.path.lexists(target):
        raise UserFault(f"{target} is there already and is no folder: choose another with --output-dir")
    if taken := [name for name in tops if os.path.lexists(target / name)]:
        held = ", ".join(taken)
        raise UserFault(
            f"{target} holds {held} already, and nothing is overwritten: choose another with --output-dir"
        )
    # Everything is written elsewhere first, so that it appears in its place whole.
    stage = (target if there else target.parent) / f".{target.name}.{os.getpid()}.new"
    moved: list[Path] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            place = stage / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        if not there:
            stage.rename(target)
            return
        for name in tops:
            moved.append((stage / name).rename(target / name))
    except OSError as error:
        for place in moved:
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        raise UserFault(f"cannot write {target}: {error.strerror}; nothing was made") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
