"""What is named must be declared, and what is declared has one name each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.components.buckets.binding import uri_variable
from mlopsgen.components.models.binding import PRODUCED, produced_by, variables
from mlopsgen.components.people.spec import RoleSpec
from mlopsgen.components.queues.names import variables as queue_variables
from mlopsgen.components.workloads.spec import WorkloadSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import Item
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule

_LISTS = {"pushes": "images", "deploys": "services", "runs": "jobs", "promotes": "models"}


def _roles(scene: Scene) -> Iterator[tuple[SpecPath, RoleSpec]]:
    yield from each(("spec", "people", "roles"), scene.site.spec.people.roles)


@rule(
    "E201",
    "an unknown prefix",
    """`reads` and `writes` name prefixes of `spec.buckets`; where no bucket `data` is declared, there are `raw`,
    `processed`, `models` and `logs`. The permissions of a task are derived from them, so that a misspelled
    name would give it nothing to read.""",
    "spec: {jobs: [{name: trainer, reads: [raww]}]}",
    "spec: {jobs: [{name: trainer, reads: [raw]}]}",
)
def unknown_prefix(scene: Scene) -> Iterable[Finding]:
    """Workloads and roles read and write only prefixes of the buckets."""
    known = scene.site.known_prefixes
    for path, whoever in (*workloads(scene), *_roles(scene)):
        for field in ("reads", "writes"):
            for at, name in each((*path, field), getattr(whoever, field) or ()):
                if name not in known:
                    yield scene.unknown(at, "prefix", name, known, "prefixes")
    for path, model in each(("spec", "models"), scene.site.spec.models):
        if model.store not in known:
            yield scene.unknown((*path, "name"), "prefix", model.store, known, "prefixes")


@rule(
    "E202",
    "an unknown model",
    "`produces` and `loads` name a model of `spec.models`.",
    "spec: {services: [{name: api, loads: [sentimant]}]}",
    "spec: {services: [{name: api, loads: [sentiment]}]}",
)
def unknown_model(scene: Scene) -> Iterable[Finding]:
    """A job produces, and a workload loads, declared models."""
    known = {model.name for model in scene.site.spec.models}
    for path, workload in workloads(scene):
        for field, names in (("produces", produced_by(workload)), ("loads", workload.loads)):
            for at, name in each((*path, field), names):
                if name not in known:
                    yield scene.unknown(at, "model", name, known, "models")


@rule(
    "E203",
    "a role names what is not declared",
    """A role for people is given by images, services, workers, jobs and models of this pipeline. A list that
    is left out means what the preset says, an empty list nothing.""",
    """
    spec:
      people:
        roles:
          - {name: developer, principals: ["arn:aws:iam::123456789012:root"], deploys: [apo]}
    """,
    """
    spec:
      people:
        roles:
          - {name: developer, principals: ["arn:aws:iam::123456789012:root"], deploys: [api]}
    """,
)
def unknown_use(scene: Scene) -> Iterable[Finding]:
    """A role for people names what is declared."""
    spec = scene.site.spec
    known: dict[str, tuple[str, tuple[Item, ...]]] = {
        "pushes": ("image", spec.images),
        "deploys": ("service or worker", (*spec.services, *spec.workers)),
        "runs": ("job", spec.jobs),
        "promotes": ("model", spec.models),
    }
    for path, role in _roles(scene):
        for field, (what, items) in known.items():
            names = {item.name for item in items}
            for at, name in each((*path, field), getattr(role, field) or ()):
                if name not in names:
                    yield scene.unknown(at, what, name, names, _LISTS[field])


@rule(
    "E204",
    "one name for two things",
    """Services, workers, jobs, models and queues have one name each, among them all: alarms and triggers name them
    without their kind. `reads` and `writes` name prefixes without their bucket, so that a prefix has one name
    over all buckets.""",
    "spec: {services: [{name: trainer, image: app}]}",
    "spec: {services: [{name: second, image: app}]}",
)
def same_name(scene: Scene) -> Iterable[Finding]:
    """What is named without its kind, or without its list, has a name of its own."""
    spec = scene.site.spec
    together = (
        place
        for word in ("services", "workers", "jobs", "models", "queues")
        for place in each(("spec", word), getattr(spec, word))
    )
    yield from _twice(together, "give services, workers, jobs, models and queues a name of their own each")
    prefixes = (
        place
        for path, bucket in each(("spec", "buckets"), spec.buckets)
        for place in each((*path, "prefixes"), bucket.prefixes)
    )
    yield from _twice(
        prefixes, "`reads` and `writes` name prefixes without their bucket: choose another name"
    )


def _twice(places: Iterable[tuple[SpecPath, Item]], help_: str) -> Iterator[Finding]:
    seen: dict[str, SpecPath] = {}
    for path, item in places:
        first = seen.setdefault(item.name, path)
        if first != path:
            also = (((*first, "name"), "first given here"),)
            yield Finding((*path, "name"), f"the name `{item.name}` is given twice", help_, also)


CONTRACT = frozenset((
    "BASE_PATH", "KEEP_ALIVE_SECONDS", "METRICS_NAMESPACE", "MODEL_VERSION", "PARAMETERS", "PORT", "TRIGGER",
    *PRODUCED,
))  # fmt: skip
"""The variables that programs get (docs/contracts.md), beside those of verbs with a name in them."""


@rule(
    "E207",
    "an environment variable that is taken",
    """Each variable is set once. Those of docs/contracts.md are set by mlopsgen, those that start with `AWS_`
    or `ECS_` by AWS, and those that start with `MLOPSGEN_` are kept for what comes later.""",
    "spec: {services: [{name: api, env: {MODEL_URI: /models}}]}",
    "spec: {services: [{name: api, env: {MODEL_CACHE: /tmp/models}}]}",
)
def variables_that_collide(scene: Scene) -> Iterable[Finding]:
    """Each environment variable is set once, and not where mlopsgen or AWS set it."""
    for path, workload in workloads(scene):
        own = CONTRACT | _of_verbs(workload)
        for field in ("env", "secrets"):
            for name in getattr(workload, field):
                if name in own:
                    help_ = "docs/contracts.md lists what every container gets; choose another name"
                    yield Finding((*path, field, name), f"`{name}` is set by mlopsgen", help_, key=True)
                elif name.startswith(("AWS_", "ECS_")):
                    help_ = "choose another name; region and credentials come by themselves"
                    yield Finding((*path, field, name), f"`{name}` belongs to AWS", help_, key=True)
                elif name.startswith("MLOPSGEN_"):
                    message = (
                        f"`{name}` is kept: variables that start with `MLOPSGEN_` may get a meaning later"
                    )
                    yield Finding((*path, field, name), message, "choose another name", key=True)
        for name in workload.secrets:
            if name in workload.env:
                also = (((*path, "env", name), "set here too"),)
                message = f"`{name}` is set twice"
                yield Finding((*path, "secrets", name), message, "keep one of the two", also, key=True)


def _of_verbs(workload: WorkloadSpec) -> frozenset[str]:
    """The variables that a workload's verbs bring."""
    prefixes = (uri_variable(name) for name in (*workload.reads, *workload.writes))
    return frozenset((*prefixes, *variables(workload), *queue_variables(workload)))
