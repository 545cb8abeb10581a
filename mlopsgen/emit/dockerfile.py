"""Dockerfiles: small, without root, dependencies before the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.model.plan import Image, Plan
from mlopsgen.parts.container import ask_health
from mlopsgen.text.templates import render


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """`images/NAME/Dockerfile` and its `.dockerignore`, once for all environments.

    An image with a Dockerfile of one's own gets none.
    """
    for image in images(plans):
        if image.dockerfile:
            continue
        # A folder is a package below /srv; the repository's root is /srv itself.
        target = "/srv/" if image.context == "." else f"/srv/{PurePosixPath(image.context).name}/"
        health = ask_health(image.port, image.health_path) if image.port and image.health_path else None
        text = render("Dockerfile.j2", image=image, target=target, folder=folder, health=health)
        yield Artifact(f"images/{image.name}/Dockerfile", text)
        # BuildKit reads the file of this name for a Dockerfile outside the context.
        ignored = render("dockerignore.j2", image=image, folder=folder)
        yield Artifact(f"images/{image.name}/Dockerfile.dockerignore", ignored)


def images(plans: Sequence[Plan]) -> tuple[Image, ...]:
    """The images of all environments by name; environments that differ in one are told apart by E2 rules."""
    by_name = {image.name: image for plan in plans for image in plan.images}
    return tuple(by_name[name] for name in sorted(by_name))
