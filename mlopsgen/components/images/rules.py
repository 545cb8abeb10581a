"""What images are built from: folders beside the pipeline, and nothing outside them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path as Folder
from pathlib import PurePosixPath

from mlopsgen.checks.references import workloads
from mlopsgen.checks.rule import Finding, Scene, rule
from mlopsgen.components.registry import image_name
from mlopsgen.diagnostics.closest import closest
from mlopsgen.source.node import Path
from mlopsgen.spec.workload import BuildSpec


def _builds(scene: Scene) -> Iterator[tuple[Path, BuildSpec]]:
    for path, workload in workloads(scene):
        if workload.image.build:
            yield (*path, "image", "build"), workload.image.build


def _escapes(path: str) -> bool:
    """Whether a step of the path goes up."""
    return ".." in path.split("/")


def _files(build: BuildSpec) -> Iterator[tuple[str, str]]:
    """The files that a build needs, each with its key; a Dockerfile of one's own installs what it likes."""
    if build.dockerfile:
        yield "dockerfile", build.dockerfile
    else:
        yield "requirements", build.requirements


@rule("E231")
def leaves_the_folder(scene: Scene) -> Iterable[Finding]:
    """A context lies below the pipeline's folder and its files lie in it, links followed."""
    for path, build in _builds(scene):
        inside = [("context", build.context), ("requirements", build.requirements)]
        if build.dockerfile:
            inside.append(("dockerfile", build.dockerfile))
        for field, value in inside:
            if _escapes(value):
                help_ = "name a path that goes down only"
                yield Finding((*path, field), f"`{value}` goes up with `..`", help_)
        if scene.folder is None or any(_escapes(value) for _, value in inside):
            continue
        context = scene.folder / build.context
        if _outside(context, scene.folder):
            message = f"`{build.context}` leads out of the pipeline's folder through a link"
            yield Finding((*path, "context"), message, "put the files themselves there")
            continue
        for field, value in _files(build):
            if _outside(context / value, context):
                message = f"`{value}` leads out of `{build.context}` through a link"
                yield Finding((*path, field), message, "put the file itself there")


def _outside(path: Folder, folder: Folder) -> bool:
    """Whether `path` lies outside `folder` once links are followed; a loop of links does."""
    real = os.path.realpath(path)
    return not Folder(real).is_relative_to(os.path.realpath(folder))


# Path's own methods raise where a name is too long, or a folder may not be looked into.
def _is_folder(path: Folder) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def _is_file(path: Folder) -> bool:
    return os.path.isfile(path)  # noqa: PTH113


@rule("E230")
def missing_context(scene: Scene) -> Iterable[Finding]:
    """The context is a folder that is there."""
    if scene.folder is None:
        return
    for path, build in _builds(scene):
        if _escapes(build.context) or _outside(scene.folder / build.context, scene.folder):
            continue
        context = scene.folder / build.context
        if not _is_folder(context):
            what = "is no folder" if os.path.lexists(context) else "is not there"
            yield Finding(
                (*path, "context"), f"`{build.context}` {what}", _folder(scene.folder, build.context)
            )


def _folder(folder: Folder, word: str) -> str:
    """The folder beside the pipeline that was meant, or what to do."""
    try:
        known = [each.name for each in folder.iterdir() if each.is_dir() and each.name[0] != "."]
    except OSError:
        known = []
    close = closest(word, known)
    return f"did you mean `{close}`?" if close else "make the folder: it holds the program as a package"


@rule("E232")
def missing_file(scene: Scene) -> Iterable[Finding]:
    """What the image is built with is a file in the context."""
    if scene.folder is None:
        return
    for path, build in _builds(scene):
        context = scene.folder / build.context
        if _escapes(build.context) or _outside(context, scene.folder) or not _is_folder(context):
            continue
        for field, value in _files(build):
            if _escapes(value) or _outside(context / value, context) or _is_file(context / value):
                continue
            help_ = f"write the file `{build.context}/{value}`"
            if field == "requirements":
                help_ += ", such as with `pip-compile` or `uv pip compile`"
            message = f"there is no file `{value}` in `{build.context}`"
            at = (*path, field) if field in build.model_fields_set else (*path, "context")
            yield Finding(at, message, help_)


@rule("E224")
def images_of_environments(scene: Scene) -> Iterable[Finding]:
    """An image is built in one way for all environments: they share its Dockerfile."""
    first: dict[str, tuple[str, BuildSpec, int]] = {}
    for site in scene.before:
        for workload in (*site.spec.trainers, *site.spec.services):
            if workload.image.build:
                build = workload.image.build
                first.setdefault(image_name(workload), (site.environment, build, workload.user))
    for path, workload in workloads(scene):
        name = image_name(workload)
        if not workload.image.build or name not in first:
            continue
        environment, other, user = first[name]
        if (other, user) != (workload.image.build, workload.user):
            yield Finding(
                (*path, "image"),
                f"image `{name}` is built in one way in `{environment}` and in another in "
                f"`{scene.site.environment}`",
                "build it alike in both, or give it another `image.name` in one",
            )


# Letters, digits, `_` and `-`: what `python -m` can find, and no command line takes for an option.
_PACKAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")

# The images that Docker Hub's official `python` repository has on Debian bookworm.
PYTHONS = tuple(f"3.{minor}" for minor in range(9, 15))


@rule("E233")
def context_as_package(scene: Scene) -> Iterable[Finding]:
    """The folder is called as a package can be: it is copied and started under its own name."""
    for path, build in _builds(scene):
        name = PurePosixPath(build.context).name
        if not _escapes(build.context) and not _PACKAGE.fullmatch(name):
            yield Finding(
                (*path, "context"),
                f"`{build.context}` cannot be started as a package",
                "name a folder of its own, of letters, digits, `_` and `-`, such as `app`",
            )


@rule("W230")
def unknown_python(scene: Scene) -> Iterable[Finding]:
    """The image starts from an official image of that version of Python."""
    for path, build in _builds(scene):
        if build.python not in PYTHONS and not build.dockerfile:
            yield Finding(
                (*path, "python"),
                f"there may be no image `python:{build.python}-slim-bookworm`",
                f"known are {PYTHONS[0]} to {PYTHONS[-1]}",
            )
