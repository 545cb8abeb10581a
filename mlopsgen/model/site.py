"""One environment of one pipeline: every name that is known before anything is deployed, and what is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

from mlopsgen.components.balancers.spec import LoadBalancerSpec, internal, public
from mlopsgen.components.buckets.spec import BucketSpec, PrefixSpec, data_bucket
from mlopsgen.components.capacity.spec import PoolSpec, fargate, fargate_spot
from mlopsgen.components.images.spec import ImageSpec
from mlopsgen.components.models.spec import ModelSpec
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import Item
from mlopsgen.model.names import logical, within
from mlopsgen.model.pipeline import Pipeline, PipelineSpec
from mlopsgen.model.values import Named
from mlopsgen.model.workload import JOB, SERVICE, WORKER, AnySpec, Kind, Workload


class Bucket(NamedTuple):
    """A bucket, declared or made because something uses it."""

    spec: BucketSpec
    physical: str
    """Its name, for `Fn::Sub`."""
    prefixes: tuple[Prefix, ...]
    origin: SpecPath

    @property
    def name(self) -> str:
        """What the file calls it."""
        return self.spec.name

    @property
    def logical_id(self) -> str:
        """Its logical id in the stack `foundation`."""
        return f"{logical(self.spec.name)}Bucket"


class Prefix(NamedTuple):
    """A folder of a bucket."""

    spec: PrefixSpec
    bucket: str
    """The bucket's name, for `Fn::Sub`."""

    @property
    def name(self) -> str:
        """What `reads` and `writes` call it."""
        return self.spec.name

    @property
    def folder(self) -> str:
        """Its path in the bucket, with a slash at its end; empty for all of the bucket."""
        path = (self.spec.path or self.spec.name).strip("/")
        return f"{path}/" if path else ""


class Pool(NamedTuple):
    """What tasks run on: Fargate, or instances of the pipeline's own."""

    spec: PoolSpec
    users: tuple[str, ...]
    """The workloads that run on it, by name."""
    origin: SpecPath

    @property
    def name(self) -> str:
        """What `capacity` calls it."""
        return self.spec.name

    @property
    def logical_id(self) -> str:
        """The start of the logical ids of its resources."""
        return logical(self.spec.name)


class Balancer(NamedTuple):
    """A load balancer that some route leads through."""

    spec: LoadBalancerSpec
    users: tuple[str, ...]
    """The services behind it, by name."""
    origin: SpecPath

    @property
    def name(self) -> str:
        """What routes call it."""
        return self.spec.name

    @property
    def logical_id(self) -> str:
        """The start of the logical ids of its resources."""
        return logical(self.spec.name)

    @property
    def scheme(self) -> str:
        """`internet-facing` or `internal`."""
        return self.spec.scheme or ("internet-facing" if self.spec.name == "public" else "internal")

    @property
    def public(self) -> bool:
        """Whether the internet can reach it."""
        return self.scheme == "internet-facing"

    @property
    def secure(self) -> bool:
        """Whether it speaks HTTPS."""
        return bool(self.spec.certificates)


@dataclass(frozen=True)
class Site:
    """One environment of one pipeline."""

    pipeline: Pipeline
    environment: str
    absent: frozenset[SpecPath] = frozenset()
    """What the base declares for other environments alone: it is not made here either."""

    @property
    def spec(self) -> PipelineSpec:
        """The merged spec."""
        return self.pipeline.spec

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.pipeline.metadata.name

    @property
    def region(self) -> str:
        """The region of all stacks."""
        return self.spec.aws.region

    @property
    def prefix(self) -> str:
        """What every physical name starts with."""
        return f"{self.name}-{self.environment}"

    @property
    def role_path(self) -> str:
        """The path of every role of this environment: what may be passed is said by it, not role by role."""
        return f"/{self.prefix}/"

    @property
    def metrics_namespace(self) -> str:
        """The CloudWatch namespace of what the programs measure themselves."""
        return f"{self.name}/{self.environment}"

    @property
    def owns_key(self) -> bool:
        """Whether what is stored is encrypted with a KMS key of the pipeline's own."""
        return self.spec.encryption.own is not None

    @property
    def delivers(self) -> bool:
        """Whether a workflow deploys this environment."""
        delivery = self.spec.delivery
        if delivery is None or delivery.github is None:
            return False
        return self.environment in ({each.name for each in delivery.stages} or {self.environment})

    @property
    def delivery_role(self) -> str:
        """The name of the role that the delivery workflow assumes."""
        return f"{self.prefix}-delivery"

    @property
    def stack_role(self) -> str:
        """The name of the role with which CloudFormation deploys on behalf of the delivery role."""
        return f"{self.prefix}-stacks"

    @property
    def boundary(self) -> str:
        """The name of the policy that bounds all other roles, where delivery makes one."""
        return f"{self.prefix}-boundary"

    @property
    def log_bucket(self) -> str:
        """The name of the bucket for access logs, for `Fn::Sub`."""
        return f"{self.prefix}-logs-${{AWS::AccountId}}"

    @property
    def cluster(self) -> str:
        """The name of the ECS cluster."""
        return self.prefix

    @property
    def cluster_reference(self) -> Named:
        """The cluster, for a property of a resource in another stack."""
        return Named("cluster", self.cluster)

    def repository(self, image: str) -> str:
        """The ECR repository of an image.

        Its encryption cannot change (Amazon ECR API reference, EncryptionConfiguration): with another, it is
        another repository, which needs another name. No image's name has a dot.
        """
        name = f"{self.prefix}/{image}"
        return name if self.owns_key else f"{name}.aes256"

    def family(self, workload: str) -> str:
        """The family of a workload's task definition; also the name of a pool's capacity provider."""
        return f"{self.prefix}-{workload}"

    def schedule_group(self, job: str) -> str:
        """The EventBridge Scheduler group of a job's schedules."""
        return within(f"{self.prefix}-{job}", 64)

    def rule(self, job: str, purpose: str) -> str:
        """The EventBridge rule that does something about a job's runs."""
        return within(f"{self.prefix}-{job}-{purpose}", 64)

    def queue(self, name: str) -> str:
        """The name of a queue; SQS takes 80 characters (Amazon SQS developer guide, "Amazon SQS message
        queue quotas").
        """
        return within(f"{self.prefix}-{name}", 80)

    def log_group(self, workload: str) -> str:
        """The log group of a workload."""
        return f"/{self.prefix}/{workload}"

    def parameter(self, key: str) -> str:
        """The SSM parameter by which one stack tells another a value, such as `network/vpc-id`."""
        return f"/{self.prefix}/{key}"

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """All services, workers and jobs, by name, so that their order in the file changes nothing.

        One that names an unknown pool stands on Fargate until the rules have said so.
        """
        spec = self.spec
        specs: tuple[tuple[AnySpec, Kind], ...] = (
            *((each, SERVICE) for each in spec.services),
            *((each, WORKER) for each in spec.workers),
            *((each, JOB) for each in spec.jobs),
        )
        found = [
            Workload(
                each,
                kind,
                self._pools.get(each.capacity, fargate()),
                self._image(each.image),
                https=("spec", kind.section, each.name, "egress", "https") not in self.absent,
            )
            for each, kind in specs
        ]
        return tuple(sorted(found, key=lambda each: each.name))

    @property
    def services(self) -> tuple[Workload, ...]:
        """Those that answer requests, by name."""
        return tuple(each for each in self.workloads if each.kind is SERVICE)

    @property
    def workers(self) -> tuple[Workload, ...]:
        """Those that run for ever and have no way in, by name."""
        return tuple(each for each in self.workloads if each.kind is WORKER)

    @property
    def jobs(self) -> tuple[Workload, ...]:
        """Those that run to an end, by name."""
        return tuple(each for each in self.workloads if each.kind is JOB)

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """By name."""
        return by_name(self.spec.models)

    def model(self, name: str) -> ModelSpec:
        """The model that `produces` or `loads` names. Raises KeyError; the rules see that it is there."""
        return {each.name: each for each in self.spec.models}[name]

    @cached_property
    def pools(self) -> tuple[Pool, ...]:
        """What tasks run on, by name: the declared pools, and those of Fargate that something uses."""
        declared = {each.name for each in self.spec.capacity}
        specs = [each for each in self._pools.values() if each.name in declared or self._on(each.name)]
        return tuple(
            Pool(each, self._on(each.name), ("spec", "capacity", each.name)) for each in by_name(specs)
        )

    def pool(self, name: str) -> PoolSpec | None:
        """The pool that `capacity` names; None if there is none."""
        return self._pools.get(name)

    @cached_property
    def _pools(self) -> Mapping[str, PoolSpec]:
        made = [
            each for each in (fargate(), fargate_spot()) if ("spec", "capacity", each.name) not in self.absent
        ]
        return {each.name: each for each in (*made, *self.spec.capacity)}

    def _on(self, pool: str) -> tuple[str, ...]:
        spec = self.spec
        every = (*spec.services, *spec.workers, *spec.jobs)
        return tuple(sorted(each.name for each in every if each.capacity == pool))

    @cached_property
    def balancers(self) -> tuple[Balancer, ...]:
        """The load balancers that routes lead through, by name."""
        found = []
        for spec in by_name(self._balancers.values()):
            users = [
                each.name
                for each in self.spec.services
                for route in each.ingress
                if route.load_balancer == spec.name
            ]
            if users:
                users = sorted(set(users))
                origin = ("spec", "loadBalancers", spec.name)
                declared = any(each.name == spec.name for each in self.spec.load_balancers)
                found.append(
                    Balancer(
                        spec, tuple(users), origin if declared else ("spec", "services", users[0], "ingress")
                    )
                )
        return tuple(found)

    def balancer(self, name: str) -> Balancer:
        """The load balancer of a route. Raises KeyError; the rules see that it is there."""
        return {each.name: each for each in self.balancers}[name]

    @cached_property
    def _balancers(self) -> Mapping[str, LoadBalancerSpec]:
        made = (
            each for each in (public(), internal()) if ("spec", "loadBalancers", each.name) not in self.absent
        )
        return {each.name: each for each in (*made, *self.spec.load_balancers)}

    @property
    def known_balancers(self) -> tuple[str, ...]:
        """The names that a route may say."""
        return tuple(sorted(self._balancers))

    @property
    def known_pools(self) -> tuple[str, ...]:
        """The names that `capacity` may say."""
        return tuple(sorted(self._pools))

    def _image(self, reference: str) -> ImageSpec | None:
        return {each.name: each for each in self.spec.images}.get(reference)

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        """By name: the declared buckets, and `data` if something uses one of its prefixes."""
        declared = {each.name: each for each in self.spec.buckets}
        spec = declared.get("data") or data_bucket()
        elsewhere = {
            each.name for bucket in declared.values() if bucket.name != "data" for each in bucket.prefixes
        }
        own = {each.name for each in spec.prefixes}
        stores = sorted({each.store for each in self.spec.models} - own - elsewhere)
        prefixes = (*spec.prefixes, *(PrefixSpec(name=each) for each in stores))
        spec = spec.model_copy(update={"prefixes": prefixes})
        used = {name for each in self.workloads for name in (*each.spec.reads, *each.spec.writes)}
        used |= {each.store for each in self.spec.models}
        roles = self.spec.people.roles
        used |= {name for each in roles for name in (*(each.reads or ()), *(each.writes or ()))}
        needed = "data" in declared or (used - elsewhere) & {each.name for each in prefixes}
        made = [spec] if needed and not self._lacks_data else []
        others = [each for each in declared.values() if each.name != "data"]
        return tuple(self._bucket(each, each.name in declared) for each in by_name([*made, *others]))

    def _bucket(self, spec: BucketSpec, declared: bool) -> Bucket:
        physical = f"{self.prefix}-{spec.name}-${{AWS::AccountId}}"
        prefixes = tuple(Prefix(each, physical) for each in by_name(spec.prefixes))
        return Bucket(spec, physical, prefixes, ("spec", "buckets", spec.name) if declared else ("spec",))

    @cached_property
    def prefixes(self) -> Mapping[str, Prefix]:
        """Every prefix of every bucket, by its name."""
        return {each.name: each for bucket in self.buckets for each in bucket.prefixes}

    @property
    def known_prefixes(self) -> tuple[str, ...]:
        """The names that `reads` and `writes` may say."""
        declared = {each.name for bucket in self.spec.buckets for each in bucket.prefixes}
        if self._lacks_data:
            return tuple(sorted(declared))
        if not any(each.name == "data" for each in self.spec.buckets):
            declared |= {each.name for each in data_bucket().prefixes}
        return tuple(sorted(declared | {each.store for each in self.spec.models}))

    @property
    def _lacks_data(self) -> bool:
        return ("spec", "buckets", "data") in self.absent


T = TypeVar("T", bound=Item)


def by_name(items: Iterable[T]) -> tuple[T, ...]:
    """Named things in the order of their names."""
    return tuple(sorted(items, key=lambda each: each.name))
