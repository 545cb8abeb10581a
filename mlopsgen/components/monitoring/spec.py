"""`spec.monitoring`: what is watched, and who hears of it.

An alarm's own fields are all optional, since those of a thing are laid over `monitoring.alarms`, and these over
the defaults; `alarms.py` holds the defaults and lays them together.
"""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.language.base import Choice, Filled, Item, NotYet, Spec
from mlopsgen.language.values import DAY, Duration, Latency, Percent

# RFC 5321 and RFC 1123, without quoted names: an atom's letters, single dots, and a domain with a dot.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

EmailAddress = Annotated[
    str,
    Filled(),
    Field(pattern=rf"^{_ATOM}(\.{_ATOM})*@({_LABEL}\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]$", max_length=254),
]
"""An address such as `ops@example.com`: nothing around it, and one alone."""


class ReceiverSpec(Item):
    """Who hears of alarms."""

    email: Annotated[EmailAddress | None, Choice()] = None
    """An address; it confirms its subscription once."""

    topic: Annotated[NotYet, Choice()] = None
    """ARN of an existing SNS topic."""

    slack: Annotated[NotYet, Choice()] = None
    """A Slack channel. The workspace is authorised once by hand."""

    teams: Annotated[NotYet, Choice()] = None
    """A Teams channel."""

    webhook: Annotated[NotYet, Choice()] = None
    """The URL, as a secret."""


class LogsSpec(Spec):
    """Where programs' output goes."""

    retention: Duration = 30 * DAY
    """How long it is kept: a number of days that CloudWatch Logs offers."""

    router: NotYet = None
    """FireLens in place of CloudWatch Logs."""


class DashboardsSpec(Spec):
    """CloudWatch dashboards, one of each service, worker and model."""

    enabled: bool = True
    """`false`: there are none."""


class AlarmSpec(Spec):
    """An alarm."""

    enabled: bool | None = None
    """Whether it is there. One that is off by default is on as soon as it is written."""

    for_: Duration | None = None
    """How long it must be so, in whole minutes."""

    notify: NotYet = None
    """Receivers, by default all."""


class PercentAlarmSpec(AlarmSpec):
    """An alarm on a percentage."""

    above: Percent | None = None
    """It rings above this."""

    below: Percent | None = None
    """It rings below this, in place of `above`."""

    anomaly: NotYet = None
    """It rings outside of what is usual, in place of a threshold."""


class LatencyAlarmSpec(AlarmSpec):
    """An alarm on a response time."""

    above: Latency | None = None
    """It rings above this."""

    below: Latency | None = None
    """It rings below this, in place of `above`."""

    anomaly: NotYet = None
    """It rings outside of what is usual, in place of a threshold."""


class ServiceAlarmsSpec(Spec):
    """The alarms of services."""

    cpu: PercentAlarmSpec = Field(default_factory=PercentAlarmSpec)
    """Of a service's reserved CPU, above `80%` for 5m by default."""

    memory: PercentAlarmSpec = Field(default_factory=PercentAlarmSpec)
    """Of a service's reserved memory, above `85%` for 5m by default."""

    gpu: NotYet = None
    """Of a service's GPUs, off by default."""

    error_rate: PercentAlarmSpec = Field(default_factory=PercentAlarmSpec)
    """5xx of the program and of the balancer, above `5%` for 3m by default. This and the next two need a route, and are not there without one."""

    latency: LatencyAlarmSpec = Field(default_factory=LatencyAlarmSpec)
    """The p99, above `2s` for 3m by default."""

    unhealthy_tasks: AlarmSpec = Field(default_factory=AlarmSpec)
    """Tasks that fail the balancer's health check, for 5m by default."""

    missing_tasks: AlarmSpec = Field(default_factory=AlarmSpec)
    """Fewer tasks running than wanted, for 10m by default."""

    no_traffic: NotYet = None
    """Not one request for `for`, off by default."""


class WorkerAlarmsSpec(Spec):
    """The alarms of workers."""

    cpu: PercentAlarmSpec = Field(default_factory=PercentAlarmSpec)
    """Of a worker's reserved CPU, above `80%` for 5m by default."""

    memory: PercentAlarmSpec = Field(default_factory=PercentAlarmSpec)
    """Of a worker's reserved memory, above `85%` for 5m by default."""

    gpu: NotYet = None
    """Of a worker's GPUs, off by default."""

    missing_tasks: AlarmSpec = Field(default_factory=AlarmSpec)
    """Fewer tasks running than wanted, for 10m by default."""


class JobAlarmsSpec(Spec):
    """The alarms of jobs."""

    failed: AlarmSpec = Field(default_factory=AlarmSpec)
    """A run that failed after its retries, or could not start."""

    missing: AlarmSpec = Field(default_factory=AlarmSpec)
    """A scheduled run did not happen. Where two days and more lie between the runs, it is missed once there was a first one; a pause of more than seven days is not watched."""

    duration: NotYet = None
    """A run takes longer than that, off by default."""


class DurationAlarmSpec(AlarmSpec):
    """An alarm on a span of time."""

    above: Duration | None = None
    """It rings above this."""

    below: Duration | None = None
    """It rings below this, in place of `above`."""

    anomaly: NotYet = None
    """It rings outside of what is usual, in place of a threshold."""


class QueueAlarmsSpec(Spec):
    """The alarms of queues."""

    dead_letters: AlarmSpec = Field(default_factory=AlarmSpec)
    """Dead letters: one is enough."""

    oldest_message: DurationAlarmSpec = Field(default_factory=DurationAlarmSpec)
    """The age of the oldest message, off by default; above `1h` for 5m once it is on."""


class AlarmsSpec(Spec):
    """Alarms by kind; a thing's own `alarms` go before, key by key."""

    services: ServiceAlarmsSpec = Field(default_factory=ServiceAlarmsSpec)
    """Of services."""

    workers: WorkerAlarmsSpec = Field(default_factory=WorkerAlarmsSpec)
    """Of workers."""

    jobs: JobAlarmsSpec = Field(default_factory=JobAlarmsSpec)
    """Of jobs."""

    queues: QueueAlarmsSpec = Field(default_factory=QueueAlarmsSpec)
    """Of queues."""

    models: NotYet = None
    """Of models."""


class MonitoringSpec(Spec):
    """What is watched, and who hears of it."""

    notify: tuple[ReceiverSpec, ...] = ()
    """Who hears of alarms."""

    logs: LogsSpec = Field(default_factory=LogsSpec)
    """Where programs' output goes."""

    container_insights: Literal["disabled", "enabled", "enhanced"] = "enabled"
    """Metrics of cluster, service and task; `enhanced` adds those of each container, at a price."""

    dashboards: DashboardsSpec = Field(default_factory=DashboardsSpec)
    """Of each service, worker and model."""

    alarms: AlarmsSpec = Field(default_factory=AlarmsSpec)
    """Defaults by kind; a thing's own `alarms` go before, key by key."""

    own_alarms: NotYet = None
    """Alarms on any metric."""

    composites: NotYet = None
    """Alarms on other alarms."""

    log_metrics: NotYet = None
    """Metrics counted in logs."""

    queries: NotYet = None
    """Saved queries of logs."""

    checks: NotYet = None
    """Synthetic requests."""
