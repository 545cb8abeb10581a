"""What a run needs to know of one environment, read from the plan that the templates are written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from mlopsgen.artifacts import Artifact
from mlopsgen.compile import Compilation, compile_file
from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.emit.task_definition import document
from mlopsgen.local.absent import absent
from mlopsgen.model.plan import Image, Phase, Plan, Stack
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Route, Workload

LISTENER_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
SERVICE = "AWS::ECS::Service"


class Unknown(UserFault):
    """A name that the pipeline does not have; the text lists those that it has."""


class LocalMount(NamedTuple):
    """Where a container sees a volume."""

    volume: str
    path: str
    read_only: bool = False
    outlives: bool = False
    """Whether it is one of `spec.volumes`, which all tasks share; else it lives as long as its task."""
    memory: int | None = None
    """MiB, if it is memory."""


@dataclass(frozen=True, slots=True)
class LocalTask:
    """A task definition, and the program behind its image."""

    name: str
    kind: str
    """`service`, `worker` or `job`."""
    stack: str
    """The stack that holds it."""
    definition: Mapping[str, Any]
    """What `generated/ENVIRONMENT/task-definitions/NAME.json` holds."""
    context: Path | None
    """The folder that the image is built from; None if the image comes from outside."""
    image: str | None
    """The image that is built here, by name."""
    dockerfile: Path | None = None
    """A Dockerfile of the user's own."""
    requirements: Path | None = None
    """What its image installs, if it is built with `python`."""
    python: str = ""
    """The image's version of Python."""
    image_command: tuple[str, ...] = ()
    """What the image runs if the task definition names nothing else; empty if only the image knows."""
    folder: Path | None = None
    """Where a process of it runs: the folder in which the package of the build context lies."""
    loads: Mapping[str, str] = field(default_factory=dict)
    """The models that it loads, each with its version, or `current`."""
    produces: str | None = None
    """The model that it trains."""
    triggers: tuple[str, ...] = ()
    """What starts it on AWS, by name."""
    attempts: int = 1
    """How often it is started while something outside ends it."""

    @property
    def container(self) -> Mapping[str, Any]:
        """Its main container: the one named like the workload."""
        containers: Sequence[Mapping[str, Any]] = self.definition["containerDefinitions"]
        return next(each for each in containers if each["name"] == self.name)

    @property
    def is_program(self) -> bool:
        """Whether it can run as a process, since its image is a Python package with its requirements."""
        return self.context is not None and self.dockerfile is None

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on, the main one first."""
        return tuple(int(each["containerPort"]) for each in self.container.get("portMappings", ()))

    @property
    def mounts(self) -> tuple[LocalMount, ...]:
        """Where it sees volumes, `/tmp` among them."""
        outlives = {each["name"] for each in self.definition.get("volumes", ()) if len(each) > 1}
        linux = self.container.get("linuxParameters", {})
        return (
            *(
                LocalMount(
                    each["sourceVolume"],
                    each["containerPath"],
                    bool(each.get("readOnly")),
                    each["sourceVolume"] in outlives,
                )
                for each in self.container.get("mountPoints", ())
            ),
            *(
                LocalMount(
                    each["containerPath"],
                    each["containerPath"],
                    "ro" in each.get("mountOptions", ()),
                    memory=int(each["size"]),
                )
                for each in linux.get("tmpfs", ())
            ),
        )


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """How a load balancer tells whether a target can serve, and how it lets go of one. Times in seconds."""

    name: str = ""
    """By which listener rules know it: `SERVICE/LOGICAL ID`."""
    port: int = 0
    """The port that the container listens on."""
    path: str = "/"
    interval: float = 30
    timeout: float = 5
    healthy: int = 5
    unhealthy: int = 2
    codes: str = "200"
    drain: float = 300
    algorithm: str = "round_robin"


@dataclass(frozen=True, slots=True)
class LocalListenerRule:
    """A listener rule: which requests go to which target group."""

    balancer: str
    priority: int
    paths: tuple[str, ...]
    hosts: tuple[str, ...]
    group: str


@dataclass(frozen=True, slots=True)
class LocalService:
    """A service or worker: its task, how many of them, and how they are replaced."""

    task: LocalTask
    replicas: int
    groups: tuple[TargetGroup, ...] = ()
    """One for each of its routes."""
    grace: float = 0
    """Seconds after its start in which a task's failed checks do not count."""
    least: float = 1
    """The share of the replicas that stays in service while they are replaced."""
    most: float = 2

    @property
    def fixed(self) -> tuple[int, ...]:
        """The ports that cannot be moved, since only the main one is told to the program."""
        return self.task.ports[1:]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One environment."""

    environment: str
    prefix: str
    region: str
    account: str | None
    namespace: str
    """Of the metrics that the programs measure themselves."""
    before_images: tuple[str, ...]
    """The stacks that hold no task, in order."""
    before_model: tuple[str, ...]
    """Those that need images, and no model yet."""
    after_model: tuple[str, ...]
    """All others."""
    repositories: tuple[str, ...]
    jobs: tuple[LocalTask, ...]
    services: tuple[LocalService, ...]
    """Services and workers."""
    balancers: tuple[str, ...]
    """The one that most callers come through first."""
    rules: tuple[LocalListenerRule, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of each model, `current` or the version that it is pinned to."""
    idle_timeouts: Mapping[str, int] = field(default_factory=dict)
    """Of each load balancer, the seconds for which a target may be silent."""
    folder: Path = Path()
    """The pipeline's."""
    declared: Mapping[str, Any] = field(default_factory=dict)
    """The environment's whole spec, as one would write it."""
    absent: tuple[str, ...] = ()
    """What AWS has and this machine has not, a sentence each."""

    @property
    def trainers(self) -> tuple[LocalTask, ...]:
        """The jobs that produce a model: who loads another's comes after it."""
        waiting = [each for each in self.jobs if each.produces]
        order: list[LocalTask] = []
        while waiting:
            awaited = {each.produces for each in waiting}
            ready = [each for each in waiting if not (awaited - {each.produces}) & each.loads.keys()]
            # In a circle each goes on from what another one trained: somebody has to begin.
            first = (ready or waiting)[0]
            waiting.remove(first)
            order.append(first)
        return tuple(order)

    @property
    def tasks(self) -> tuple[LocalTask, ...]:
        """All of them: jobs, services and workers."""
        return (*self.jobs, *(each.task for each in self.services))

    def job(self, name: str) -> LocalTask:
        """The job of that name. Raises `Unknown`."""
        names = [each.name for each in self.jobs]
        if name not in names:
            raise Unknown(f"there is no job `{name}`; there are: {', '.join(names) or 'none'}")
        return self.jobs[names.index(name)]

    def triggered(self, name: str) -> tuple[LocalTask, str]:
        """The job with the trigger `name`, or `JOB.NAME`, and the trigger's own name. Raises `Unknown`."""
        every = [(job, each) for job in self.jobs for each in job.triggers]
        found = [(job, each) for job, each in every if name in (each, f"{job.name}.{each}")]
        if len(found) > 1:
            which = " or ".join(f"{job.name}.{each}" for job, each in found)
            raise Unknown(f"several jobs have a trigger `{name}`: say {which}")
        if not found:
            known = ", ".join(each for _, each in every) or "none"
            raise Unknown(f"there is no trigger `{name}`; there are: {known}")
        return found[0]


def compiled(path: Path, name: str, environment: str | None) -> tuple[Blueprint, tuple[Artifact, ...]]:
    """Compile the pipeline in `path`, called `name` in messages.

    Returns the blueprint of `environment`, and every file that `build` writes. Without a name the environment
    is the only one, or `dev`. Raises `Rejected`, `Unknown`.
    """
    found = compile_file(path, name)
    known = found.environments
    wanted = environment or (known[0] if len(known) == 1 else "dev")
    if wanted not in known:
        raise Unknown(f"there is no environment `{wanted}`: choose one with --env from {', '.join(known)}")
    compilation = found.compilations[known.index(wanted)]
    return blueprint(compilation, path.absolute().parent), found.artifacts


def blueprint(compilation: Compilation, folder: Path) -> Blueprint:
    """What a run needs to know of a compilation whose pipeline lies in `folder`."""
    plan = compilation.plan
    site = Site(compilation.pipeline, compilation.environment)
    stacks = {each.name: each for each in plan.stacks}
    kept = [each for each in site.workloads if each.kind.runs != "to an end"]
    ranked = sorted(site.balancers, key=lambda each: (not each.public, each.name))
    balancers = tuple(each.name for each in ranked)
    rules = [rule for each in site.services for rule in _rules(each, stacks[each.stack])]
    return Blueprint(
        environment=plan.environment,
        prefix=plan.prefix,
        region=plan.region,
        account=plan.account,
        namespace=site.metrics_namespace,
        before_images=_names(plan, Phase.BEFORE_IMAGES),
        before_model=_names(plan, Phase.BEFORE_FIRST_MODEL),
        after_model=_names(plan, Phase.AFTER_FIRST_MODEL, Phase.LAST),
        repositories=tuple(each.repository for each in plan.images),
        jobs=tuple(_task(site, each, plan, folder) for each in site.jobs),
        services=tuple(_service(each, _task(site, each, plan, folder), stacks[each.stack]) for each in kept),
        balancers=balancers,
        rules=tuple(sorted(rules, key=lambda each: (balancers.index(each.balancer), each.priority))),
        versions={each.name: each.version for each in site.models},
        idle_timeouts={each.name: each.spec.idle_timeout for each in ranked},
        folder=folder,
        declared=compilation.pipeline.spec.model_dump(mode="json", by_alias=True),
        absent=tuple(absent(site)),
    )


def _names(plan: Plan, *phases: Phase) -> tuple[str, ...]:
    return tuple(stack.name for phase in phases for stack in plan.phase(phase))


def _task(site: Site, workload: Workload, plan: Plan, folder: Path) -> LocalTask:
    declared = next(each for each in plan.tasks if each.name == workload.name)
    image = next((each for each in plan.images if each.name == declared.image), None)
    spec = workload.spec
    job = spec if isinstance(spec, JobSpec) else None
    return LocalTask(
        name=workload.name,
        kind=workload.kind.word,
        stack=declared.stack,
        definition=document(
            plan, declared, next(each for each in plan.stacks if each.name == declared.stack)
        ),
        context=folder / image.context if image else None,
        image=declared.image,
        dockerfile=folder / image.dockerfile if image and image.dockerfile else None,
        requirements=folder / image.context / image.requirements if image and not image.dockerfile else None,
        python=image.python if image and not image.dockerfile else "",
        image_command=image.command if image and not image.dockerfile else (),
        folder=_place_of(image, folder),
        loads={name: site.model(name).version for name in sorted(spec.loads)},
        produces=declared.produces,
        triggers=tuple(each.name for each in job.triggers) if job else (),
        attempts=1 + (job.retries.on_lost_capacity if job else 0),
    )


def _place_of(image: Image | None, folder: Path) -> Path:
    """The image's working directory has the build context below it; the repository's root is it itself."""
    if image is None or image.context == ".":
        return folder
    return (folder / image.context).parent


def _service(workload: Workload, task: LocalTask, stack: Stack) -> LocalService:
    bodies = {each.logical_id: each.properties for each in stack.resources}
    properties: dict[str, Any] = next(each.properties for each in stack.resources if each.type == SERVICE)
    least, most = workload.room
    replicas = workload.replicas
    service = LocalService(
        task=task,
        # The messages of a backlog come whenever they like, and an idle process costs nothing.
        replicas=max(replicas.min, replicas.metrics.backlog is not None) if replicas else 1,
        groups=tuple(
            _target_group(workload.name, route, bodies[route.target_groups[0]])
            for route in workload.routes
            if route.port.app_protocol in ("http", "http2")
        ),
        grace=float(properties.get("HealthCheckGracePeriodSeconds", 0)),
        least=least / 100,
        most=most / 100,
    )
    return _alone(service) if service.fixed else service


def _alone(service: LocalService) -> LocalService:
    """One task at a time: two would listen on the same number."""
    return replace(service, replicas=min(service.replicas, 1), least=0, most=1)


def _target_group(service: str, route: Route, properties: Mapping[str, Any]) -> TargetGroup:
    attributes = {each["Key"]: each["Value"] for each in properties.get("TargetGroupAttributes", ())}
    return TargetGroup(
        name=f"{service}/{route.target_groups[0]}",
        port=route.port.port,
        path=properties.get("HealthCheckPath", "/"),
        interval=float(properties.get("HealthCheckIntervalSeconds", 30)),
        timeout=float(properties.get("HealthCheckTimeoutSeconds", 5)),
        healthy=int(properties.get("HealthyThresholdCount", 5)),
        unhealthy=int(properties.get("UnhealthyThresholdCount", 2)),
        codes=str(properties.get("Matcher", {}).get("HttpCode", "200")),
        drain=float(attributes.get("deregistration_delay.timeout_seconds", 300)),
        algorithm=str(attributes.get("load_balancing.algorithm.type", "round_robin")),
    )


def _rules(workload: Workload, stack: Stack) -> Iterator[LocalListenerRule]:
    """Its listener rules, each at the balancer of the route whose target group it forwards to."""
    routes: dict[str, Route] = {route.target_groups[0]: route for route in workload.routes}
    for resource in stack.resources:
        if resource.type != LISTENER_RULE:
            continue
        properties: dict[str, Any] = resource.properties
        target = next(each for each in _forwarded(properties["Actions"]) if each in routes)
        yield LocalListenerRule(
            balancer=routes[target].spec.load_balancer,
            priority=int(properties["Priority"]),
            paths=_condition(properties, "path-pattern", "PathPatternConfig"),
            hosts=_condition(properties, "host-header", "HostHeaderConfig"),
            group=f"{workload.name}/{target}",
        )


def _forwarded(actions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The logical ids of the target groups that the actions forward to."""
    for action in actions:
        groups = action.get("ForwardConfig", {}).get("TargetGroups", ())
        for each in (action, *groups):
            if isinstance(arn := each.get("TargetGroupArn"), dict) and "Ref" in arn:
                yield arn["Ref"]


def _condition(properties: Mapping[str, Any], kind: str, config: str) -> tuple[str, ...]:
    return tuple(
        str(value)
        for condition in properties["Conditions"]
        if condition["Field"] == kind
        for value in condition.get(config, {}).get("Values") or condition.get("Values") or ()
    )
