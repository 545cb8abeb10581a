"""Words of other tools, and of the form before this one: what each is called here.

Kubernetes, Compose, Copilot, ECS, KServe and SkyPilot have words for what this language has too. A row says
at which place a word may stand, what to write instead, and which key then takes its place. A hint is no
guess: it stands only where it is right whatever the author meant.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.walk import Field, below
from mlopsgen.language.wording import flow
from mlopsgen.source.node import Node, Scalar, Sequence


class Hint(NamedTuple):
    """What to write instead of an unknown key."""

    text: str
    instead: str
    """The key of the same map that takes its place; empty if it stands elsewhere."""


Rows: TypeAlias = tuple[tuple[str, dict[str, tuple[str, str]]], ...]

WORKLOAD = r"spec\.(services|workers|jobs)"
RUNNING = r"spec\.(services|workers)"
SERVICE = r"spec\.services"
JOB = r"spec\.jobs"

_VERBS = "write what it touches as verbs: `reads`, `writes`, `loads`, `produces`; they give the rights"
IMAGES = "an image that is built here is an item of `spec.images`: `images: [{name: app}]`, and `image: app`"
_MAIN = "the keys of the main container are the workload's own: `image`, `env`, `command`"
_CHECK = "write `healthCheck`: ECS replaces a task that is not well, whoever asked"
_RESTART = "leave it out: ECS replaces a task of a service or worker that ends, and a job has `retries`"
_OF_JOBS = (
    "activeDeadlineSeconds", "backoffLimit", "completions", "cron", "hyperparameters", "num_nodes", "on",
    "parallelism", "schedule", "suspend", "trains",
)  # fmt: skip
_ROLES = ("executionRoleArn", "iamRole", "serviceAccount", "serviceAccountName", "taskRole", "taskRoleArn")

# Where a word may stand; the word; the key that takes its place, with a dot before one of its own keys and a
# slash before what stands elsewhere; and the hint, with what the author wrote behind the word:
#   <value>     a single value                <list>     the same, or more of them, as a list
#   <int:80>    a whole number, else 80       <time>     a number of seconds as a duration
KEYS: Rows = (
    (
        "",
        {
            "version": ("apiVersion", "write `apiVersion: mlopsgen.io/v1`"),
            "name": ("metadata", "write `metadata: {name: <value>}`"),
        },
    ),
    (
        "metadata",
        {
            "tags": ("labels", "write `labels`: they become tags"),
            "annotations": ("labels", "write `labels`: they become tags"),
        },
    ),
    (
        "spec",
        {
            "access": ("people", "write `people`"),
            "compute": ("capacity", "write `capacity`: pools that workloads name"),
            "consumers": ("workers", "write `workers`"),
            "containers": ("services", "write `services`, `workers` or `jobs`, each with its `image`"),
            "cronJobs": ("jobs", "write `jobs` with `triggers`"),
            "cronjobs": ("jobs", "write `jobs` with `triggers`"),
            "deployments": ("services", "write `services`, or `workers` for what has no way in"),
            "ingress": ("", "write `ingress` in the service that answers"),
            "labels": ("", "`labels` stands in `metadata`"),
            "name": ("", "`name` stands in `metadata`"),
            "region": ("aws", "write `aws: {region: <value>}`"),
            "storage": ("buckets", "write `buckets: [{name: data, prefixes: [..]}]`"),
            "taskdef_overrides": ("patches", "write `patches`, each with its reason"),
            "trainers": ("jobs", "write `jobs`: one that `produces` a model is a trainer"),
        },
    ),
    (
        WORKLOAD,
        {
            **dict.fromkeys(_ROLES, ("", _VERBS)),
            "accelerators": (
                "resources",
                "write `resources: {gpu: 1}`, and `capacity` with the pool that has them",
            ),
            "build": ("image", IMAGES),
            "capacityProviderStrategy": (
                "capacity",
                "write `capacity` with a pool's name; its `spot` says the mix",
            ),
            "compute": (
                "capacity",
                "write `capacity` with a pool's name: `fargate`, `fargate-spot`, or one of `spec.capacity`",
            ),
            "container": ("image", _MAIN),
            "containers": ("image", f"{_MAIN}; further ones are `sidecars`"),
            "context": ("image", IMAGES),
            "cpu": ("resources", 'write `resources: {cpu: "1"}`, in vCPUs'),
            "depends_on": ("sidecars", "containers of one task start in the order of `sidecars`"),
            "dependsOn": ("sidecars", "containers of one task start in the order of `sidecars`"),
            "dockerfile": (
                "image",
                "write `images: [{name: app, dockerfile: {path: <value>}}]`, and `image: app`",
            ),
            "entryPoint": ("command", "write `command: <list>`, in place of the image's ENTRYPOINT"),
            "entrypoint": ("command", "write `command: <list>`, in place of the image's ENTRYPOINT"),
            "env_file": ("env", "write its lines in `env`, and what is secret in `secrets`"),
            "envFile": ("env", "write its lines in `env`, and what is secret in `secrets`"),
            "envFrom": ("env", "write `env`, and what is secret in `secrets`"),
            "environment": ("env", "write `env: {NAME: value}`"),
            "file_mounts": ("reads", "write `reads`: prefixes of a bucket"),
            "launchType": ("capacity", "write `capacity` with a pool's name: `fargate` is there already"),
            "memory": ("resources", "write `resources: {memory: 2Gi}`"),
            "model": (
                "loads",
                "write `loads: <list>` for a model that it reads; a job that makes one `produces` it",
            ),
            "mountPoints": ("volumeMounts", "write `volumeMounts: [{name: NAME, mountPath: /path}]`"),
            "network": (
                "calls",
                "write `calls` with the services that it reaches; subnets stand in `spec.network`",
            ),
            "nodeSelector": ("capacity", "write `capacity` with a pool's name, and `architecture`"),
            "platform": ("architecture", "write `architecture: amd64` or `arm64`"),
            "publish": ("publishes", "write `publishes`"),
            "restart": ("", _RESTART),
            "restartPolicy": ("", _RESTART),
            "serves": ("loads", "write `loads: <list>`"),
            "stop_grace_period": ("stopTimeout", "write `stopTimeout: <time>`"),
            "storage": ("volumes", "write `volumeMounts`, and the file system in `spec.volumes`"),
            "storageUri": ("loads", "write `loads` with the name of a model"),
            "subscribe": ("/spec.workers.consumes", "write `consumes` in a worker"),
            "taskDefinitionOverrides": ("", "write `spec.patches`, each with its reason"),
            "taskdef_overrides": ("", "write `spec.patches`, each with its reason"),
            "terminationGracePeriodSeconds": ("stopTimeout", "write `stopTimeout: <time>`"),
            "tolerations": ("capacity", "write `capacity` with a pool's name"),
            "user": ("securityContext", "write `securityContext: {runAsUser: <int:10001>}`"),
            "variables": ("env", "write `env: {NAME: value}`"),
        },
    ),
    (
        RUNNING,
        {
            **dict.fromkeys(_OF_JOBS, ("", "it is a job's: what runs to an end is one of `jobs`")),
            "autoscaling": ("replicas", "write `replicas: {min: 2, max: 10, metrics: {cpu: 70%}}`"),
            "count": ("replicas", "write `replicas: {min: <int:2>}`"),
            "desiredCount": ("replicas", "write `replicas: {min: <int:2>}`"),
            "desired_count": ("replicas", "write `replicas: {min: <int:2>}`"),
            "livenessProbe": ("healthCheck", _CHECK),
            "maxReplicas": ("replicas", "write `replicas: {max: <int:10>}`"),
            "minReplicas": ("replicas", "write `replicas: {min: <int:2>}`"),
            "readinessProbe": ("healthCheck", _CHECK),
            "scheduledScaling": ("replicas", "write `replicas: {schedules: [..]}`"),
            "startupProbe": ("healthCheck", "write `healthCheck: {startPeriod: 2m}`"),
        },
    ),
    (
        SERVICE,
        {
            "auth": ("ingress.login", "write `ingress: [{name: web, login: {..}}]`"),
            "canaryTrafficPercent": (
                "/spec.models.challenger",
                "write `challenger: {share: <int:10>%}` in `spec.models`",
            ),
            "certificate": ("", "write `certificates` in `spec.loadBalancers`"),
            "containerPort": ("ports", "write `ports: [{name: http, port: <int:8080>}]`"),
            "domain": ("ingress", "write `ingress: [{name: web, hosts: <list>}]`"),
            "expose": ("ports", "write `ports: [{name: http, port: 8080}]`"),
            "host": ("ingress", "write `ingress: [{name: web, hosts: <list>}]`"),
            "hosts": ("ingress", "write `ingress: [{name: web, hosts: <list>}]`"),
            "http": ("ingress", "write `ingress: [{name: web, loadBalancer: public}]`"),
            "port": ("ports", "write `ports: [{name: http, port: <int:8080>}]`"),
            "portMappings": ("ports", "write `ports: [{name: http, port: 8080}]`"),
            "tls": ("", "write `certificates` in `spec.loadBalancers`"),
        },
    ),
    (
        r"spec\.workers",
        {
            "ingress": ("", "a worker has no way in: what answers requests is one of `services`"),
            "port": ("", "a worker has no way in: what answers requests is one of `services`"),
            "ports": ("", "a worker has no way in: what answers requests is one of `services`"),
        },
    ),
    (
        JOB,
        {
            "healthCheck": ("", "leave it out: a job runs to an end"),
            "ingress": ("", "a job has no way in: what answers requests is one of `services`"),
            "num_nodes": ("nodes", "write `nodes: {count: <int:2>}`"),
            "ports": ("", "a job has no way in: what answers requests is one of `services`"),
            "replicas": ("indexed", "a job runs once for each start: many runs at once are `indexed`"),
            "activeDeadlineSeconds": ("timeout", "write `timeout: <time>`"),
            "backoffLimit": ("retries.onFailure", "write `retries: {onFailure: <int:2>}`"),
            "completions": ("indexed", "write `indexed: {completions: <int:10>}`"),
            "cron": ("triggers", "write `triggers: [{name: schedule, schedule: {cron: <value>}}]`"),
            "hyperparameters": ("parameters", "write `parameters`; the program finds them in `PARAMETERS`"),
            "on": ("triggers", "write `triggers: [{name: schedule, schedule: {cron: ..}}]`"),
            "parallelism": ("indexed", "write `indexed: {completions: .., parallelism: <int:5>}`"),
            "schedule": ("triggers", "write `triggers: [{name: schedule, schedule: {cron: <value>}}]`"),
            "suspend": ("triggers", "write `enabled: false` in each of its `triggers`"),
            "trains": ("produces", "write `produces: <list>`"),
        },
    ),
    (
        WORKLOAD + r"\.resources",
        {
            "limits": ("cpu", "write `resources: {cpu: .., memory: ..}`: request and limit are one on ECS"),
            "requests": ("cpu", "write `resources: {cpu: .., memory: ..}`: request and limit are one on ECS"),
            "nvidia.com/gpu": ("gpu", "write `gpu: <int:1>`"),
            "gpus": ("gpu", "write `gpu: <int:1>`"),
            "accelerators": ("gpu", "write `gpu: 1`, and `capacity` with the pool that has them"),
            "ephemeral-storage": ("ephemeralStorage", "write `ephemeralStorage: <value>`"),
        },
    ),
    (
        WORKLOAD + r"\.healthCheck",
        {
            "exec": ("command", "write `command: [..]`"),
            "failureThreshold": ("unhealthyThreshold", "write `unhealthyThreshold: <int:3>`"),
            "httpGet": ("path", "write `path: /health`"),
            "initialDelaySeconds": ("startPeriod", "write `startPeriod: <time>`"),
            "periodSeconds": ("interval", "write `interval: <time>`"),
            "retries": ("unhealthyThreshold", "write `unhealthyThreshold: <int:3>`"),
            "successThreshold": ("healthyThreshold", "write `healthyThreshold: <int:3>`"),
            "test": ("command", "write `command: [..]`, without `CMD`"),
            "timeoutSeconds": ("timeout", "write `timeout: <time>`"),
        },
    ),
    (
        SERVICE + r"\.ports",
        {
            "containerPort": ("port", "write `port: <int:8080>`"),
            "targetPort": ("port", "write `port: <int:8080>`"),
            "protocol": ("appProtocol", "write `appProtocol: http`, `http2`, `grpc` or `tcp`"),
        },
    ),
    (
        SERVICE + r"\.ingress",
        {
            "alias": ("hosts", "write `hosts: <list>`"),
            "certificate": ("", "write `certificates` in `spec.loadBalancers`"),
            "host": ("hosts", "write `hosts: <list>`"),
            "idleTimeout": ("", "write `idleTimeout` in `spec.loadBalancers`"),
            "path": ("paths", "write `paths: <list>`"),
            "scheme": ("loadBalancer", "write `loadBalancer: public` or `internal`"),
            "tls": ("", "write `certificates` in `spec.loadBalancers`"),
        },
    ),
    (
        SERVICE + r"\.deployment",
        {
            "maximumPercent": ("rolling", "write `rolling: {maxSurge: 100%}`: what is above 100"),
            "minimumHealthyPercent": (
                "rolling",
                "write `rolling: {maxUnavailable: 0%}`: what is missing to 100",
            ),
            "percent": ("canary", "write `share: <int:10>%` inside `canary` or `linear`"),
            "stepTime": ("canary", "write it inside `canary` or `linear`"),
            "strategy": (
                "rolling",
                "write one of `rolling: {}`, `blueGreen: {}`, `canary: {}`, `linear: {}`",
            ),
        },
    ),
    (
        RUNNING + r"\.replicas",
        {
            "autoscaling": ("metrics", "write `metrics: {cpu: 70%}`"),
            "maxReplicas": ("max", "write `max: <int:10>`"),
            "minReplicas": ("min", "write `min: <int:2>`"),
        },
    ),
    (
        WORKLOAD + r"\.secrets\.\*",
        {
            "valueFrom": (
                "secret",
                "write `secret: <value>` for Secrets Manager, `parameter: <value>` for SSM",
            ),
            "secretsmanager": ("secret", "write `secret: <value>`"),
            "ssm": ("parameter", "write `parameter: <value>`"),
        },
    ),
    (
        JOB + r"\.triggers",
        {
            "cron": ("schedule", "write `schedule: {cron: <value>}`"),
            "suspend": ("enabled", "write `enabled: false`"),
            "timeZone": ("schedule", "write it in `schedule`, beside `cron`"),
        },
    ),
    (
        JOB + r"\.retries",
        {
            "attempts": ("onFailure", "write `onFailure: <int:2>`"),
            "backoffLimit": ("onFailure", "write `onFailure: <int:2>`"),
        },
    ),
    (
        r"spec\.images",
        {
            "args": ("dockerfile.args", "write `dockerfile: {args: ..}`"),
            "build": ("context", "write `context`, and `python` or `dockerfile`"),
            "command": ("python", "write `python: {command: <list>}`"),
            "requirements": ("python", "write `python: {requirements: <value>}`"),
            "systemPackages": ("python", "write `python: {systemPackages: <list>}`"),
            "target": ("dockerfile.target", "write `dockerfile: {target: <value>}`"),
        },
    ),
    (
        r"spec\.buckets",
        {
            "encryption": ("", "write `spec.encryption`: one key for everything that is stored"),
            "noncurrentExpireAfter": ("versions", "write `versions: {expireAfter: <value>}`"),
        },
    ),
    (
        r"spec\.registry",
        {"encryption": ("", "write `spec.encryption`: one key for everything that is stored")},
    ),
    (
        r"spec\.capacity",
        {
            "instanceType": ("ec2", "write `ec2: {instanceTypes: <list>}`"),
            "instanceTypes": ("ec2", "write `ec2: {instanceTypes: <list>}`"),
            "purchase": ("ec2", "write `spot: {}` inside `fargate` or `ec2`"),
            "spot": ("ec2", "write `spot: {}` inside `fargate` or `ec2`"),
        },
    ),
    (
        r"spec\.capacity\.(ec2|fargate)",
        {
            "instanceType": ("instanceTypes", "write `instanceTypes: <list>`"),
            "maxInstances": ("max", "write `max: <int:10>`"),
            "minInstances": ("min", "write `min: <int:2>`"),
            "purchase": ("spot", "write `spot: {}` for all spot; leave it out for none"),
            "volumeSize": ("rootVolume", "write `rootVolume: {size: <value>}`"),
        },
    ),
    (r"spec\.models\.promotion", {"minimum": ("metrics", "write `metrics: {NAME: {atLeast: 0.9}}`")}),
    (
        r"spec\.models\.promotion\.metrics\.\*",
        {
            "max": ("atMost", "write `atMost: <value>`"),
            "maximum": ("atMost", "write `atMost: <value>`"),
            "min": ("atLeast", "write `atLeast: <value>`"),
            "minimum": ("atLeast", "write `atLeast: <value>`"),
        },
    ),
    (
        r"spec\.monitoring",
        {
            "dashboard": ("dashboards", "write `dashboards: {enabled: <value>}`"),
            "logRetention": ("logs", "write `logs: {retention: <value>}`"),
        },
    ),
    (
        r"spec\.monitoring\.alarms",
        {
            **dict.fromkeys(
                ("cpu", "errorRate", "latency", "memory", "missingTasks", "unhealthyTasks"),
                ("services", "write it inside `services` or `workers`: each kind has its own alarms"),
            ),
            "trainingFailed": ("jobs", "write `jobs: {failed: {..}}`"),
            "trainingMissing": ("jobs", "write `jobs: {missing: {..}}`"),
        },
    ),
    (
        r"spec\.people\.roles",
        {
            "images": ("pushes", "write `pushes: <list>`"),
            "services": ("deploys", "write `deploys: <list>`"),
            "trainers": ("runs", "write `runs: <list>`"),
        },
    ),
    (
        r"spec\.delivery",
        {
            "environments": ("stages", "write `stages: [{name: dev}, {name: prod}]`"),
            "repository": ("github", "write `github: {repository: <value>}`"),
        },
    ),
    (
        r"spec\.delivery\.github",
        {
            "branch": ("", "write `branch` in `delivery`, one level up"),
            "environments": ("", "write `stages: [{name: dev}, {name: prod}]` in `delivery`"),
            "ownerId": ("ids", "write `ids: {owner: <value>, repository: ..}`"),
            "repositoryId": ("ids", "write `ids: {owner: .., repository: <value>}`"),
        },
    ),
)


def hint_for_key(root: Field, path: SpecPath, node: Node) -> Hint | None:
    """What to write instead of the unknown key at the end of `path`, if other tools have that word."""
    *_, word = path
    owner, at = typed(root, path[:-1])
    for where, words in KEYS:
        if word in words and owner and re.fullmatch(where, at):
            instead, text = words[str(word)]
            text = _filled(text, node)
            later = _later(root, owner, instead)
            key = instead.partition(".")[0] if not instead.startswith("/") else ""
            return Hint(f"{text} (`{later}` is not built yet)" if later else text, key)
    return None


def typed(root: Field, path: SpecPath) -> tuple[Field | None, str]:
    """The field at `path`, and the path without indexes, with `*` for keys that the author chose."""
    field: Field | None = root
    steps: list[str] = []
    for step in path:
        if field is None:
            break
        if field.kind != "list":
            steps.append("*" if field.kind == "values" else str(step))
        field = below(field).get(str(step)) if field.kind == "map" else field.each
    return field, ".".join(steps)


def _later(root: Field, owner: Field, instead: str) -> str | None:
    """The key of `instead` that is not built yet, if there is one."""
    field: Field | None = root if instead.startswith("/") else owner
    for word in instead.lstrip("/").split("."):
        while field and field.kind == "list":
            field = field.each
        field = below(field).get(word) if field else None
        if field and field.later:
            return word
    return None


def _filled(text: str, node: Node) -> str:
    """The hint with what the author wrote, where it fits."""
    value = flow(node) if isinstance(node, Scalar) and node.value is not None else None
    number = node.text if isinstance(node, Scalar) and type(node.value) is int else None
    list_ = flow(node) if isinstance(node, Sequence) else f"[{value}]" if value else None
    text = re.sub("<int:([0-9]+)>", lambda found: number or found[1], text)
    text = text.replace("<time>", f"{number}s" if number else "30s")
    return text.replace("<value>", value or "..").replace("<list>", list_ or "[..]")
