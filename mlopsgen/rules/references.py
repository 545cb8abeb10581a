"""What components name must be declared, and what is declared has one name each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from mlopsgen.checks.rule import Finding, Scene, nearest, rule
from mlopsgen.components.registry import image_name
from mlopsgen.components.storage import prefixes
from mlopsgen.source.node import Path
from mlopsgen.spec.workload import WorkloadSpec


def workloads(scene: Scene) -> Iterator[tuple[Path, WorkloadSpec]]:
    """Every trainer and service with its path."""
    for section in ("trainers", "services"):
        for index, each in enumerate(getattr(scene.site.spec, section)):
            yield ("spec", section, index), each


@rule("E201")
def unknown_prefix(scene: Scene) -> Iterable[Finding]:
    """A component reads and writes only prefixes of the bucket."""
    known = {each.name for each in prefixes(scene.site)}
    for path, workload in workloads(scene):
        for field in ("reads", "writes"):
            for index, name in enumerate(getattr(workload, field)):
                if name not in known:
                    help_ = nearest(name, known, "prefixes")
                    yield Finding((*path, field, index), f"no prefix `{name}` in the bucket", help_)
    for path, role in _roles(scene):
        for field in ("reads", "writes"):
            for index, name in enumerate(getattr(role, field) or ()):
                if name not in known:
                    help_ = nearest(name, known, "prefixes")
                    yield Finding((*path, field, index), f"no prefix `{name}` in the bucket", help_)


@rule("E202")
def unknown_model(scene: Scene) -> Iterable[Finding]:
    """A trainer produces, and a service serves, a declared model."""
    known = {each.name for each in scene.site.models}
    for section, field in (("trainers", "produces"), ("services", "serves")):
        for index, each in enumerate(getattr(scene.site.spec, section)):
            name = getattr(each, field)
            if name is not None and name not in known:
                help_ = nearest(name, known, "models")
                yield Finding(("spec", section, index, field), f"no model `{name}`", help_)


@rule("E203")
def unknown_use(scene: Scene) -> Iterable[Finding]:
    """A role for people names declared images, services and trainers."""
    spec = scene.site.spec
    known = {
        "images": {image_name(each) for _, each in workloads(scene) if each.image.build},
        "services": {each.name for each in spec.services},
        "trainers": {each.name for each in spec.trainers},
    }
    for path, role in _roles(scene):
        for field, names in known.items():
            for index, name in enumerate(getattr(role, field) or ()):
                if name not in names:
                    what = field.removesuffix("s")
                    yield Finding((*path, field, index), f"no {what} `{name}`", nearest(name, names, field))


@rule("E204")
def same_name(scene: Scene) -> Iterable[Finding]:
    """Trainers and services have one name each, among them all: it names stacks, logs and containers."""
    seen: dict[str, Path] = {}
    for path, workload in workloads(scene):
        first = seen.setdefault(workload.name, path)
        if first is not path:
            yield Finding(
                (*path, "name"),
                f"the name `{workload.name}` is taken",
                "give each trainer and service a name of its own",
                (((*first, "name"), "first given here"),),
            )
    spec = scene.site.spec
    yield from _twice(("spec", "storage", "prefixes"), spec.storage.prefixes)
    yield from _twice(("spec", "models"), spec.models)
    yield from _twice(("spec", "access", "roles"), spec.access.roles)
    for place, service in enumerate(spec.services):
        yield from _twice(("spec", "services", place, "scheduledScaling"), service.scheduled_scaling)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def _twice(path: Path, items: Sequence[_Named]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, each in enumerate(items):
        first = seen.setdefault(each.name, index)
        if first != index:
            also = (((*path, first, "name"), "first given here"),)
            yield Finding((*path, index, "name"), f"the name `{each.name}` is given twice", None, also)


KEEP_ONE = "keep one; an environment takes the base's away with `%s: null`"


@rule("E205")
def one_of_two(scene: Scene) -> Iterable[Finding]:
    """Where the language offers alternatives, one is chosen."""
    network = scene.site.spec.network
    if network.vpc and network.existing:
        yield Finding(
            ("spec", "network", "existing"), "both `vpc` and `existing` are given", KEEP_ONE % "vpc"
        )
    for path, workload in workloads(scene):
        if workload.image.build and workload.image.uri:
            yield Finding((*path, "image", "uri"), "both `build` and `uri` are given", KEEP_ONE % "build")
        if not workload.image.build and not workload.image.uri:
            yield Finding(
                (*path, "image"),
                f"`{workload.name}` has no image",
                "give `build: {context: FOLDER}`, or `uri:` with a digest",
            )
        if workload.compute.fargate and workload.compute.ec2:
            yield Finding(
                (*path, "compute", "ec2"), "both `fargate` and `ec2` are given", KEEP_ONE % "fargate"
            )


@rule("E206")
def images_that_differ(scene: Scene) -> Iterable[Finding]:
    """Components that share an image build the same one."""
    seen: dict[str, tuple[Path, WorkloadSpec]] = {}
    for path, workload in workloads(scene):
        if not workload.image.build:
            continue
        name = image_name(workload)
        first_path, first = seen.setdefault(name, (path, workload))
        if first.image.build != workload.image.build or first.user != workload.user:
            yield Finding(
                (*path, "image"),
                f"image `{name}` is built in two ways",
                "build it alike, or give one of them a name of its own with `image.name`",
                (((*first_path, "image"), "built otherwise here"),),
            )


@rule("W201")
def unused_model(scene: Scene) -> Iterable[Finding]:
    """A model that nothing produces or serves does nothing."""
    used = {each.produces for each in scene.site.trainers} | {each.serves for each in scene.site.services}
    for index, model in enumerate(scene.site.spec.models):
        if model.name not in used:
            yield Finding(
                ("spec", "models", index, "name"),
                f"nothing produces or serves model `{model.name}`",
                "name it in `produces` or `serves`, or take it away",
            )


@rule("E207")
def variables_that_collide(scene: Scene) -> Iterable[Finding]:
    """Each environment variable is set once, and not where mlopsgen or AWS set it."""
    own = {
        "CHECKPOINT_URI", "HYPERPARAMETERS", "METRICS_NAMESPACE", "MODEL_NAME", "MODEL_URI", "MODEL_VERSION",
        "PORT", "PROMOTION",
    } | {f"{each.name.upper().replace('-', '_')}_URI" for each in prefixes(scene.site)}  # fmt: skip
    for path, workload in workloads(scene):
        secrets = Counter(each.name for each in workload.secrets)
        for name in workload.env:
            if name in own:
                help_ = "docs/contracts.md lists what every container gets; choose another name"
                yield Finding((*path, "env", name), f"`{name}` is set by mlopsgen", help_, key=True)
            elif name.startswith(("AWS_", "ECS_")):
                help_ = "choose another name; region and credentials come by themselves"
                yield Finding((*path, "env", name), f"`{name}` belongs to AWS", help_, key=True)
        for index, secret in enumerate(workload.secrets):
            if secret.name in workload.env or secrets[secret.name] > 1 or secret.name in own:
                message = f"`{secret.name}` is set twice"
                yield Finding((*path, "secrets", index, "name"), message, "choose another name")


@rule("W202")
def secret_in_the_open(scene: Scene) -> Iterable[Finding]:
    """What looks like a secret does not stand in a file."""
    telling = ("PASSWORD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "ACCESS_KEY")
    for path, workload in workloads(scene):
        for name, value in workload.env.items():
            if value and name.upper().endswith(telling) and "://" not in value and not value.startswith("/"):
                yield Finding(
                    (*path, "env", name),
                    f"`{name}` looks like a secret, and would stand in Git and in the task definition",
                    "keep it in Secrets Manager and name its ARN in `secrets`",
                )


def _roles(scene: Scene) -> Iterator[tuple[Path, object]]:
    for index, role in enumerate(scene.site.spec.access.roles):
        yield ("spec", "access", "roles", index), role
