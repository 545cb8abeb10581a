"""What a run needs to know of one environment, read from the plan that the templates are written from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlopsgen.artifacts import Artifact
from mlopsgen.compiler import examine, files, plan_of
from mlopsgen.emit import emit
from mlopsgen.load import Loaded
from mlopsgen.manifest import digest
from mlopsgen.plan import Plan
from mlopsgen.source.read import read
from mlopsgen.spec.models import PromotionSpec

LISTENER_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"


class Unknown(Exception):
    """A name that the pipeline does not have; the text lists those that it has."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task definition, and the program behind its image."""

    name: str
    definition: Mapping[str, Any]
    """What `generated/ENVIRONMENT/task-definitions/NAME.json` holds."""
    context: Path | None
    """The folder that the image is built from; None if the image exists already."""
    image: str | None
    dockerfile: str | None
    """A Dockerfile of the user's own in the context."""
    image_command: tuple[str, ...]
    """What the image runs if the task definition names nothing else."""
    model: str | None

    @property
    def container(self) -> Mapping[str, Any]:
        """Its one container."""
        container: Mapping[str, Any] = self.definition["containerDefinitions"][0]
        return container


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """How a load balancer tells whether a target can serve, and how it lets go of one. Times in seconds."""

    path: str = "/"
    interval: float = 30
    timeout: float = 5
    healthy: int = 5
    unhealthy: int = 2
    codes: str = "200"
    drain: float = 300
    algorithm: str = "round_robin"


@dataclass(frozen=True, slots=True)
class Rule:
    """A listener rule: which requests go to which service."""

    scheme: str
    priority: int
    paths: tuple[str, ...]
    hosts: tuple[str, ...]
    service: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its task, how many of them, and how they are replaced."""

    task: Task
    replicas: int
    port: int
    target_group: TargetGroup | None
    grace: float
    """Seconds after its start in which a task's failed checks do not count."""
    least: float
    """The share of the replicas that stays in service while they are replaced."""
    most: float


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One environment."""

    environment: str
    prefix: str
    region: str
    account: str | None
    stacks: tuple[str, ...]
    repositories: tuple[str, ...]
    trainers: tuple[Task, ...]
    services: tuple[Service, ...]
    rules: tuple[Rule, ...]
    promotion: Mapping[str, PromotionSpec] = field(default_factory=dict)

    @property
    def before_serving(self) -> str | None:
        """The last stack that comes before what serves."""
        names = [each for each in self.stacks if each != "serving" and not each.startswith("serving-")]
        names = [each for each in names if not each.startswith("observability-") and each != "people"]
        return names[-1] if names else None

    @property
    def serving(self) -> str | None:
        """The first stack of what serves."""
        after = self.stacks[self.stacks.index(self.before_serving) + 1 :] if self.before_serving else ()
        return after[0] if after else None


def compiled(path: Path, environment: str | None) -> tuple[Blueprint, tuple[Artifact, ...]]:
    """Compile the pipeline in `path`: the blueprint of `environment`, and every file that `build` writes.

    Without a name the environment is the only one, or `dev`. Raises `Rejected`, `Unknown`.
    """
    text = read(path, str(path))
    checked, _ = examine(text, str(path), path.parent)
    plans = tuple(plan_of(each) for each in checked)
    known = [each.environment for each in checked]
    name = environment or (known[0] if len(known) == 1 else "dev")
    if name not in known:
        raise Unknown(f"there is no environment `{name}`: choose one with --env from {', '.join(known)}")
    artifacts = emit(plans, {path.name: digest(text.encode())}, files(plans))
    at = known.index(name)
    return _blueprint(checked[at], plans[at], artifacts, path.absolute().parent), artifacts


def _blueprint(checked: Loaded, plan: Plan, artifacts: tuple[Artifact, ...], folder: Path) -> Blueprint:
    spec = checked.pipeline.spec
    texts = {each.path: each.text for each in artifacts}
    images = {each.name: each for each in plan.images}

    def task(name: str, model: str | None) -> Task:
        declared = next(each for each in plan.tasks if each.name == name)
        image = images[declared.image] if declared.image else None
        return Task(
            name=name,
            definition=json.loads(texts[f"{plan.environment}/task-definitions/{name}.json"]),
            context=folder / image.context if image else None,
            image=image.name if image else None,
            dockerfile=image.dockerfile if image else None,
            image_command=image.command if image else (),
            model=model,
        )

    bodies = {
        stack.name: {each.logical_id: each.body.to_dict() for each in stack.resources}
        for stack in plan.stacks
    }
    services = []
    rules: list[Rule] = []
    for each in spec.services:
        stack = bodies[f"serving-{each.name}"]
        properties = stack["Service"]["Properties"]
        deployment = properties.get("DeploymentConfiguration", {})
        groups = [attached["TargetGroupArn"]["Ref"] for attached in properties.get("LoadBalancers", ())]
        services.append(
            Service(
                task=task(each.name, each.serves),
                replicas=each.replicas.min,
                port=each.port,
                target_group=_target_group(stack[groups[0]]["Properties"]) if groups else None,
                grace=float(properties.get("HealthCheckGracePeriodSeconds", 0)),
                least=float(deployment.get("MinimumHealthyPercent", 100)) / 100,
                most=float(deployment.get("MaximumPercent", 200)) / 100,
            )
        )
        if each.ingress:
            rules.extend(_rules(stack, each.ingress.scheme, each.name))
    return Blueprint(
        environment=plan.environment,
        prefix=plan.prefix,
        region=plan.region,
        account=plan.account,
        stacks=tuple(stack.name for stack in plan.stacks),
        repositories=tuple(image.repository for image in plan.images),
        trainers=tuple(task(each.name, each.produces) for each in spec.trainers),
        services=tuple(services),
        rules=tuple(sorted(rules, key=lambda each: each.priority)),
        promotion={each.name: each.promotion for each in spec.models},
    )


def _target_group(properties: Mapping[str, Any]) -> TargetGroup:
    attributes = {each["Key"]: each["Value"] for each in properties.get("TargetGroupAttributes", ())}
    return TargetGroup(
        path=properties.get("HealthCheckPath", "/"),
        interval=float(properties.get("HealthCheckIntervalSeconds", 30)),
        timeout=float(properties.get("HealthCheckTimeoutSeconds", 5)),
        healthy=int(properties.get("HealthyThresholdCount", 5)),
        unhealthy=int(properties.get("UnhealthyThresholdCount", 2)),
        codes=str(properties.get("Matcher", {}).get("HttpCode", "200")),
        drain=float(attributes.get("deregistration_delay.timeout_seconds", 300)),
        algorithm=str(attributes.get("load_balancing.algorithm.type", "round_robin")),
    )


def _rules(stack: Mapping[str, Any], scheme: str, service: str) -> Iterator[Rule]:
    for body in stack.values():
        if body["Type"] != LISTENER_RULE:
            continue
        properties = body["Properties"]
        paths: tuple[str, ...] = ()
        hosts: tuple[str, ...] = ()
        for condition in properties["Conditions"]:
            if condition["Field"] == "path-pattern":
                paths = tuple(_values(condition, "PathPatternConfig"))
            elif condition["Field"] == "host-header":
                hosts = tuple(_values(condition, "HostHeaderConfig"))
        yield Rule(scheme, int(properties["Priority"]), paths, hosts, service)


def _values(condition: Mapping[str, Any], config: str) -> list[str]:
    values = condition.get(config, {}).get("Values") or condition.get("Values") or []
    return [str(each) for each in values]
