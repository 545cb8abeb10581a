"""What a role for people may do on AWS, by what it is about."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Sub

from mlopsgen.components.jobs.runs import hand_over, job_spec, run_network, run_task
from mlopsgen.components.people.reach import ALL, Reach, long_running
from mlopsgen.model.names import WORKLOAD_TAG
from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Value
from mlopsgen.model.workload import Workload
from mlopsgen.parts.objects import decrypt, folders, read, versions, write
from mlopsgen.parts.policies import arn
from mlopsgen.parts.roles import pass_role, role_path

_CANNOT_LIST = "listing tasks names no task; the condition holds it to the cluster"
_CANNOT_READ = "CloudWatch gives or refuses the metrics and alarms of the account as a whole"

_NO_SHELL = ("StringEqualsIfExists", "ecs:enable-execute-command", "false")

POINTER = "current.json"
"""The object of a model that says which version is served."""


def grants(site: Site, reach: Reach) -> Iterator[Grant]:
    """Everything, and what is denied whatever another policy may come to allow."""
    data = tuple(_data(site, reach))
    yield from data
    yield from decrypt(site, data)
    yield from _pushes(site, reach.pushes)
    yield from _sees(site, reach)
    yield from _deploys(site, reach.deploys)
    yield from _runs(site, reach.runs)
    yield from _never(site)


def _data(site: Site, reach: Reach) -> Iterator[Grant]:
    for each in folders(site, reach.reads):
        yield from read(each)
    for each in folders(site, reach.writes):
        yield from write(each)
    for name in reach.promotes:
        folder = versions(site, site.model(name))
        yield from read(folder)
        yield Grant(("s3:PutObject",), (folder.object(POINTER),), f"promotes {name}")


def _pushes(site: Site, images: tuple[str, ...]) -> Iterator[Grant]:
    if not images:
        return
    yield Grant(
        (
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImageScanFindings",
            "ecr:DescribeImages",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ),
        tuple(arn("ecr", f"repository/{site.repository(name)}") for name in images),
        "pushes images",
    )
    yield Grant(
        ("ecr:GetAuthorizationToken",),
        ("*",),
        "logs in to the registry",
        reason="the token is for the account's whole registry; AWS has no narrower resource",
    )


def _sees(site: Site, reach: Reach) -> Iterator[Grant]:
    """Tasks, logs, metrics and dashboards."""
    if not reach.sees_services and not reach.sees_jobs:
        return
    everything = _sees_everything(site, reach)
    names = (*_named(reach.sees_services, long_running(site)), *_named(reach.sees_jobs, site.jobs))
    in_cluster = ("ArnEquals", "ecs:cluster", arn("ecs", f"cluster/{site.cluster}"))
    yield Grant(("ecs:ListTasks",), ("*",), "lists tasks", (in_cluster,), reason=_CANNOT_LIST)
    tasks = (arn("ecs", f"task/{site.cluster}/*"),)
    yield Grant(("ecs:DescribeTasks",), tasks, "sees tasks", () if everything else _of(names))
    yield Grant(
        ("logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"),
        _log_groups(site, ALL if everything else names),
        "sees logs",
    )
    metrics = ("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics")
    yield Grant((*metrics, "logs:GetQueryResults"), ("*",), "sees metrics", reason=_CANNOT_READ)
    if reach.sees_services:
        yield Grant(("ecs:DescribeServices",), _services(site, reach.sees_services), "sees services")
        dashboards = tuple(_dashboard(site.family(name)) for name in reach.sees_services)
        yield Grant(("cloudwatch:GetDashboard",), dashboards, "sees dashboards")


def _sees_everything(site: Site, reach: Reach) -> bool:
    services = reach.sees_services == ALL or not long_running(site)
    jobs = reach.sees_jobs == ALL or not site.jobs
    return services and jobs


def _named(names: tuple[str, ...], every: tuple[Workload, ...]) -> tuple[str, ...]:
    return tuple(each.name for each in every) if names == ALL else names


def _of(names: tuple[str, ...]) -> tuple[tuple[str, str, tuple[Value, ...]], ...]:
    """On tasks of these workloads alone: a task's ARN names the cluster and nothing else."""
    return (("StringEquals", f"aws:ResourceTag/{WORKLOAD_TAG}", names),)


def _log_groups(site: Site, names: tuple[str, ...]) -> tuple[Value, ...]:
    if names == ALL:
        return (arn("logs", f"log-group:{site.log_group('*')}"),)
    return tuple(
        arn("logs", f"log-group:{site.log_group(name)}{streams}") for name in names for streams in ("", ":*")
    )


def _dashboard(name: str) -> Sub:
    """Dashboards belong to an account and no region."""
    return Sub(f"arn:${{AWS::Partition}}:cloudwatch::${{AWS::AccountId}}:dashboard/{name}")


def _services(site: Site, names: tuple[str, ...]) -> tuple[Value, ...]:
    return tuple(arn("ecs", f"service/{site.cluster}/{name}") for name in names)


def _deploys(site: Site, services: tuple[str, ...]) -> Iterator[Grant]:
    """Start tasks anew, go to another revision or back; never a shell in a task.

    What a revision says comes from Git alone.
    """
    if not services:
        return
    families = tuple(arn("ecs", f"task-definition/{site.family(name)}:*") for name in services)
    yield Grant(
        ("ecs:UpdateService",),
        _services(site, services),
        "deploys services",
        (("ArnLikeIfExists", "ecs:task-definition", families), _NO_SHELL),
    )
    yield Grant(
        ("ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:StopServiceDeployment"),
        tuple(
            arn("ecs", f"{kind}/{site.cluster}/{name}/*")
            for kind in ("service-deployment", "service-revision")
            for name in services
        ),
        "rolls back services",
    )
    yield Grant(("ecs:ListServiceDeployments",), _services(site, services), "rolls back services")
    roles = _roles(site, (f"serving-{name}" for name in services))
    yield pass_role(roles, "ecs-tasks.amazonaws.com", "deploys services")


def _runs(site: Site, jobs: tuple[str, ...]) -> Iterator[Grant]:
    """Start and stop runs; never with a shell in them.

    Whoever starts a run says what it does with the job's own rights: ECS lets a run have another command.
    """
    if not jobs:
        return
    for job in site.jobs:
        if job.name in jobs:
            yield run_task(site, (job.name,), f"runs {job.name}{_uses(job)}", _NO_SHELL)
    roles = _roles(site, (f"training-{name}" for name in jobs))
    yield from hand_over(site, roles, "runs jobs")
    yield Grant(("ecs:StopTask",), (arn("ecs", f"task/{site.cluster}/*"),), "stops runs", _of(jobs))
    places = tuple(arn("ssm", f"parameter{site.parameter(run_network(name).key)}") for name in jobs)
    yield Grant(("ssm:GetParameter",), places, "runs jobs")


def _uses(job: Workload) -> str:
    """What a job may read and write, and whoever runs it with it."""
    spec = job_spec(job)
    read = [*(f"{name}/" for name in spec.reads), *spec.loads]
    written = [*(f"{name}/" for name in spec.writes), *spec.produces]
    uses = [f"{verb} {', '.join(what)}" for verb, what in (("reads", read), ("writes", written)) if what]
    return f", which {' and '.join(uses)}" if uses else ""


def _roles(site: Site, stacks: Iterator[str]) -> tuple[Value, ...]:
    """The roles of workloads' own stacks."""
    return tuple(arn("iam", f"role{role_path(site, each)}*") for each in stacks)


def _never(site: Site) -> Iterator[Grant]:
    """Whatever another policy may come to allow these people."""
    names = [each.physical for each in site.buckets]
    if names:
        own = (*(arn("s3", each) for each in names), *(arn("s3", f"{each}/*") for each in names))
        yield Grant(("s3:*",), own, "reaches no other data", effect="Confine")
    else:
        yield Grant(("s3:*",), ("*",), "reaches no data", effect="Deny")
    yield Grant(
        (
            "kms:DisableKey",
            "kms:PutKeyPolicy",
            "kms:ScheduleKeyDeletion",
            "s3:DeleteBucket*",
            "s3:DeleteObjectVersion",
            "s3:PutBucket*",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ),
        ("*",),
        "destroy data for good",
        effect="Deny",
    )
