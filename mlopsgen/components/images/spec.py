"""`spec.images` and `spec.registry`: the images that are built here, and the rules for their repositories."""

from typing import Annotated

from pydantic import Field

from mlopsgen.language.base import Choice, Either, Item, NotYet, Spec
from mlopsgen.language.values import File


class PythonSpec(Spec):
    """An image with a generated Dockerfile, for a folder that holds a Python package."""

    version: Annotated[str, Field(pattern=r"^3\.[0-9]{1,2}$")] = "3.11"
    """The version of Python, in quotes."""

    requirements: File = "requirements.txt"
    """The locked dependencies: a path from the context."""

    system_packages: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*[a-z0-9+]$")], ...] = ()
    """Debian packages that the program needs when it runs, each by its name. To `apt-get` one with `-` at its end is one to take away."""

    command: Annotated[tuple[str, ...], Field(min_length=1)] = ()
    """The image's CMD, by default `[python, -m, CONTEXT]`. Required when the context is `.` or no package name."""

    base: NotYet = None
    """The base image by digest."""


class DockerfileSpec(Spec):
    """An image with a Dockerfile of one's own."""

    path: File | None = None
    """From the folder of `pipeline.yaml`, by default CONTEXT/Dockerfile; it may lie outside of the context."""

    target: NotYet = None
    """A stage."""

    args: NotYet = None
    """Build arguments; never secrets."""


class ImageSpec(Item, Either):
    """An image that is built here. Workloads name it: `image: app`.

    Platforms follow from the workloads that use it.
    """

    context: File | None = None
    """The folder that is built, by default the name; `.` is the repository's root. What begins with a dot, keys (`*.pem`, `*.key`) and pickles never get into the image."""

    python: Annotated[PythonSpec | None, Choice(default=True)] = None
    """The generated Dockerfile."""

    dockerfile: Annotated[DockerfileSpec | None, Choice()] = None
    """One's own Dockerfile."""


class RegistrySpec(Spec):
    """Rules for image repositories: one private repository for each image, with immutable tags."""

    keep_images: Annotated[int, Field(ge=3, le=1000)] = 10
    """How many images each repository keeps; older ones expire, the one that runs too. Three at least: what runs, what comes, and what a rollback needs."""

    scan_on_push: bool = True
    """Scan each image for known vulnerabilities when it is pushed."""
