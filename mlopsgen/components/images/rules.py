"""What images are built from: folders beside the pipeline, and nothing outside them; and which are run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath

from mlopsgen import regular
from mlopsgen.components.images.spec import ImageSpec, PythonSpec
from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.model.workload import context_of, dockerfile_path
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule


def _images(scene: Scene) -> Iterator[tuple[SpecPath, ImageSpec]]:
    yield from each(("spec", "images"), scene.site.spec.images)


def _escapes(path: str) -> bool:
    """Whether a step of the path goes up."""
    return ".." in path.split("/")


def _at_context(path: SpecPath, image: ImageSpec) -> SpecPath:
    """Where the context is said: by its own key, or by the name."""
    return (*path, "context" if image.context else "name")


@rule(
    "E214",
    "an unknown image",
    """`image` is the name of an item of `spec.images`, or a reference with a tag or a digest. A word without
    `:` and `@` is always a name.""",
    "spec: {services: [{name: api, image: ap}]}",
    "spec: {services: [{name: api, image: app}]}",
)
def unknown_image(scene: Scene) -> Iterable[Finding]:
    """A workload runs an image that is declared, or one from outside."""
    known = {image.name for image in scene.site.spec.images}
    for path, workload in workloads(scene):
        name = workload.image
        if not re.search("[:@]", name) and name not in known:
            yield scene.unknown((*path, "image"), "image", name, known, "images")


@rule(
    "W204",
    "an image that nobody runs",
    "It has no repository and is not built: no job, service or worker names it.",
    "spec: {images: [{name: old, context: app}]}",
    "spec: {images: [{name: old, context: app}], services: [{name: second, image: old}]}",
)
def unused_image(scene: Scene) -> Iterable[Finding]:
    """An image that no workload runs is not built."""
    used = {workload.image for _, workload in workloads(scene)}
    for path, image in _images(scene):
        if image.name not in used:
            message = f"nobody runs image `{image.name}`: it is not built"
            yield Finding((*path, "name"), message, "name it in `image` of a workload, or take it away")


@rule(
    "W206",
    "an image whose tag moves",
    """Nothing is asked while compiling, so the output holds the tag. Where `latest` points changes without a
    change here: two runs of one version may differ, and going back brings nothing back.""",
    "spec: {services: [{name: proxy, image: 'public.ecr.aws/docker/library/nginx:latest'}]}",
    "spec: {services: [{name: proxy, image: 'public.ecr.aws/docker/library/nginx:1.27'}]}",
)
def moving_tag(scene: Scene) -> Iterable[Finding]:
    """An image from outside has a tag that stays, or better a digest."""
    for path, workload in workloads(scene):
        if workload.image.endswith(":latest"):
            message = f"`{workload.image}` is another image whenever its owner pushes one"
            yield Finding((*path, "image"), message, "name a version, or the digest: IMAGE@sha256:…")


@rule(
    "E230",
    "the build context is not there",
    """An image is built from a folder beside the pipeline's file that holds the program: its `context`, or
    the folder of its name. Without it the build would only fail once the first stacks are deployed.""",
    "spec: {images: [{name: app, context: ap}]}",
    "spec: {images: [{name: app, context: app}]}",
)
def missing_context(scene: Scene) -> Iterable[Finding]:
    """The context is a folder that is there."""
    if scene.folder is None:
        return
    for path, image in _images(scene):
        word = context_of(image)
        if _escapes(word) or _outside(scene.folder / word, scene.folder):
            continue
        if not _is_folder(scene.folder / word):
            what = "is no folder" if os.path.lexists(scene.folder / word) else "is not there"
            yield Finding(_at_context(path, image), f"`{word}` {what}", _folder(scene.folder, word))


def _folder(folder: Path, word: str) -> str:
    """The folder beside the pipeline that was meant, or what to do."""
    try:
        known = [found.name for found in folder.iterdir() if found.is_dir() and found.name[0] != "."]
    except OSError:
        known = []
    close = closest(word, known)
    return f"did you mean `{close}`?" if close else "make the folder: it holds the program as a package"


@rule(
    "E231",
    "a build that leads out of the folder",
    """A context and a Dockerfile lie below the pipeline's folder, and the dependencies lie in the context: no
    `..`, and no symbolic link that leads out. So an image can hold nothing but what is in the repository.""",
    "spec: {images: [{name: app, context: app/../..}]}",
    "spec: {images: [{name: app, context: app}]}",
)
def leaves_the_folder(scene: Scene) -> Iterable[Finding]:
    """A context lies below the pipeline's folder and its files lie in it, links followed."""
    for path, image in _images(scene):
        context, at = context_of(image), _at_context(path, image)
        said = [(at, context, ".")]
        if image.dockerfile and image.dockerfile.path:
            said.append(((*path, "dockerfile", "path"), image.dockerfile.path, "."))
        if image.python:
            said.append(((*path, "python", "requirements"), image.python.requirements, context))
        for place, value, _ in said:
            if _escapes(value):
                yield Finding(place, f"`{value}` goes up with `..`", "name a path that goes down only")
        if scene.folder is None or any(_escapes(value) for _, value, _ in said):
            continue
        for place, value, base in said:
            if _outside(scene.folder / base / value, scene.folder / base):
                what = "the pipeline's folder" if base == "." else f"`{base}`"
                help_ = "put the files themselves there" if place == at else "put the file itself there"
                yield Finding(place, f"`{value}` leads out of {what} through a link", help_)
                break


def _outside(path: Path, folder: Path) -> bool:
    """Whether `path` lies outside `folder` once links are followed; a loop of links does."""
    real = os.path.realpath(path)
    return not Path(real).is_relative_to(os.path.realpath(folder))


# Path's own methods raise where a name is too long, or a folder may not be looked into.
def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113


def _there(scene: Scene) -> Iterator[tuple[SpecPath, ImageSpec, Path]]:
    """The images whose contexts are folders below the pipeline's, each with its folder."""
    for path, image in _images(scene):
        if scene.folder is not None and not _escapes(context_of(image)):
            context = scene.folder / context_of(image)
            if not _outside(context, scene.folder) and _is_folder(context):
                yield path, image, context


@rule(
    "E232",
    "a file of the build is missing",
    """The generated Dockerfile installs the dependencies that `python.requirements` locks, by default
    `requirements.txt` in the context, and starts the context as `python -m NAME`, which runs its
    `__main__.py`, unless `python.command` or a workload's `command` says otherwise: `python -m NAME.MODULE` needs
    that module, and `python NAME/FILE.py` that file. With `dockerfile` that file is used instead, by
    default the context's own `Dockerfile`.""",
    "spec: {images: [{name: app, python: {requirements: lock.txt}}]}",
    "spec: {images: [{name: app, python: {requirements: requirements.txt}}]}",
)
def missing_file(scene: Scene) -> Iterable[Finding]:
    """What the image is built with is a file."""
    for path, image, context in _there(scene):
        assert scene.folder is not None
        word = context_of(image)
        dockerfile = dockerfile_path(image)
        if dockerfile is not None:
            if _missing(scene.folder, dockerfile):
                help_ = "write it, or say where it is with `path`"
                yield Finding((*path, "dockerfile", "path"), f"there is no file `{dockerfile}`", help_)
            continue
        python = image.python or PythonSpec()
        if _missing(context, python.requirements):
            written = "requirements" in python.model_fields_set
            near = closest(python.requirements, _texts(context)) if written else None
            yield Finding(
                (*path, "python", "requirements") if written else _at_context(path, image),
                f"there is no file `{python.requirements}` in `{word}`",
                f"did you mean `{near}`?"
                if near
                else f"write the file `{PurePosixPath(word, python.requirements)}`, such as with `pip-compile` "
                "or `uv pip compile`",
            )
        if _starts_itself(image) and _is_package(word) and _missing(context, "__main__.py"):
            yield Finding(
                _at_context(path, image),
                f"there is no file `__main__.py` in `{word}`, which is started as a package",
                "write it, or say what to start: `python: {command: [python, …]}`",
            )
        # The repository's root has no name in the image.
        if word != ".":
            for place, command in _commands(scene, path, image, python):
                yield from _missing_module(place, command, context)
                yield from _missing_script(place, command, context)


def _commands(
    scene: Scene, path: SpecPath, image: ImageSpec, python: PythonSpec
) -> Iterator[tuple[SpecPath, tuple[str, ...]]]:
    """What the image is started with: its own command, and those of the workloads that run it."""
    yield (*path, "python", "command"), python.command
    for place, workload in workloads(scene):
        if workload.image == image.name:
            yield (*place, "command"), workload.command


def _missing_script(path: SpecPath, command: tuple[str, ...], context: Path) -> Iterator[Finding]:
    """A file of the context that is to be started, and is not there."""
    for index, (program, name) in enumerate(pairwise(command)):
        if program not in ("python", "python3") or not re.fullmatch(r"\w[\w/-]*\.py", name):
            continue
        folder, _, rest = name.partition("/")
        inside = folder == context.name
        if inside and _is_file(context / rest):
            continue
        message = f"there is no file `{name}` in the image"
        if not inside and _is_file(context / name):
            help_ = f"the folder lies there under its own name: write `{context.name}/{name}`"
        else:
            help_ = f"write the file, or name the one that is to be started: `{context.name}/FILE.py`"
        yield Finding((*path, index + 1), message, help_)


def _missing_module(path: SpecPath, command: tuple[str, ...], context: Path) -> Iterator[Finding]:
    """A module of the context that is to be started, and is not there; those of libraries are not looked for."""
    for index, (option, name) in enumerate(pairwise(command)):
        package, _, rest = name.partition(".")
        if option != "-m" or package != context.name or not re.fullmatch(r"\w+(\.\w+)*", name):
            continue
        module = context.joinpath(*rest.split(".")) if rest else context
        if not _is_file(module.with_suffix(".py")) and not _is_file(module / "__main__.py"):
            near = closest(name, [f"{package}.{file.stem}" for file in _listed(context, ".py")])
            help_ = f"did you mean `{near}`?" if near else "write it, or name the one that is to be started"
            yield Finding((*path, index + 1), f"there is no module `{name}` in `{package}`", help_)


def _texts(context: Path) -> list[str]:
    return [file.name for file in _listed(context, ".txt")]


def _listed(folder: Path, suffix: str) -> list[Path]:
    """The files of that kind in a folder; none if it may not be looked into."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == suffix)
    except OSError:
        return []


def _missing(folder: Path, word: str) -> bool:
    """Whether a file that lies in `folder` is not there; what leads out of it is another rule's."""
    return not _escapes(word) and not _outside(folder / word, folder) and not _is_file(folder / word)


# Letters, digits, `_` and `-`: what `python -m` can find, and no command line takes for an option.
_PACKAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


def _is_package(context: str) -> bool:
    return _PACKAGE.fullmatch(PurePosixPath(context).name) is not None


def _starts_itself(image: ImageSpec) -> bool:
    """Whether it is started as `python -m CONTEXT`, since no command says otherwise."""
    return image.python is not None and not image.python.command


@rule(
    "E233",
    "a build context that is no package",
    """The context is copied into the image under its own name and started as `python -m NAME`. The name is
    made of letters, digits, `_` and `-`; the repository's own folder (`.`) and any other need
    `python.command`.""",
    "spec: {images: [{name: app, context: .}]}",
    "spec: {images: [{name: app, context: ., python: {requirements: app/requirements.txt, command: [python, -m, app]}}]}",
)
def context_as_package(scene: Scene) -> Iterable[Finding]:
    """The folder is called as a package can be, or the command says what to start."""
    for path, image in _images(scene):
        context = context_of(image)
        if _starts_itself(image) and not _escapes(context) and not _is_package(context):
            yield Finding(
                _at_context(path, image),
                f"`{context}` cannot be started as a package",
                "say what to start: `python: {command: [python, -m, PACKAGE]}`",
            )


@rule(
    "E234",
    "a build context that hides a library",
    """The context lies in the image under its own name, beside the libraries. One that is called `torch` or
    `json` is found in place of the library of that name by everything that imports it.""",
    "spec: {images: [{name: json}]}",
    "spec: {images: [{name: app}]}",
)
def context_as_library(scene: Scene) -> Iterable[Finding]:
    """The folder is not called as a library that the program may import."""
    for path, image in _images(scene):
        name = PurePosixPath(context_of(image)).name
        if not image.python:
            continue
        whose = "Python's own" if name in sys.stdlib_module_names else None
        if whose is None and name.lower().replace("_", "-") in _required(scene, image):
            whose = f"`{image.python.requirements}`'s"
        if whose:
            message = f"a folder `{name}` is imported in place of {whose} library of that name"
            yield Finding(_at_context(path, image), message, "give the folder another name")


@rule(
    "W209",
    "a library without a version",
    """An image is built from what its requirements name. Of a library without `==` each build may take another
    version than the one that was tested, and so may each library that it brings.""",
    "spec: {images: [{name: app, python: {requirements: unpinned}}]}",
    "spec: {images: [{name: app, python: {requirements: requirements.txt}}]}",
)
def unlocked_library(scene: Scene) -> Iterable[Finding]:
    """Each library has the version that was tested."""
    for path, image in _images(scene):
        for name in _unlocked(_lines(scene, image)):
            python = image.python or PythonSpec()
            written = "requirements" in python.model_fields_set
            yield Finding(
                (*path, "python", "requirements") if written else _at_context(path, image),
                f"`{name}` has no version in `{PurePosixPath(context_of(image), python.requirements)}`",
                "lock what is tested: `uv pip compile` or `pip-compile` writes every version",
            )
            break


def _unlocked(lines: Iterable[str]) -> Iterator[str]:
    """The libraries of a requirements file that have no version ("Requirement Specifiers", pip's documentation)."""
    for line in lines:
        found = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(.*)", line)
        if (
            found
            and "==" not in (rest := found[3].partition("#")[0])
            and not rest.startswith(("@", "/", ":"))
        ):
            yield found[1]


def _required(scene: Scene, image: ImageSpec) -> frozenset[str]:
    """The packages that its dependencies name, in lowercase and with hyphens; none if they cannot be read."""
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in _lines(scene, image))
    return frozenset(re.sub(r"[._-]+", "-", match[0]).lower() for match in found if match)


def _lines(scene: Scene, image: ImageSpec) -> tuple[str, ...]:
    """The lines of its dependencies' file; none if there is none or it cannot be read."""
    context = context_of(image)
    if scene.folder is None or image.dockerfile is not None or _escapes(context):
        return ()
    requirements = (image.python or PythonSpec()).requirements
    file = scene.folder / context / requirements
    if _escapes(requirements) or _outside(file, scene.folder) or not _is_file(file):
        return ()
    try:
        return tuple(regular.text(file).splitlines())
    except (OSError, ValueError):
        return ()


# The images that Docker Hub's official `python` repository has on Debian bookworm.
PYTHONS = tuple(f"3.{minor}" for minor in range(9, 15))


@rule(
    "W230",
    "a version of Python without an image",
    """The generated Dockerfile starts from `python:VERSION-slim-bookworm`, which exists for few versions.""",
    'spec: {images: [{name: app, python: {version: "3.99"}}]}',
    'spec: {images: [{name: app, python: {version: "3.12"}}]}',
)
def unknown_python(scene: Scene) -> Iterable[Finding]:
    """The image starts from an official image of that version of Python."""
    for path, image in _images(scene):
        if image.python and image.python.version not in PYTHONS:
            yield Finding(
                (*path, "python", "version"),
                f"there may be no image `python:{image.python.version}-slim-bookworm`",
                f"known are {PYTHONS[0]} to {PYTHONS[-1]}",
            )
