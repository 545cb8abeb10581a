"""`spec.monitoring`: logs, alarms, the dashboard, and who hears of it."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.base import Spec
from mlopsgen.spec.quantities import Duration, Latency

Percent = Annotated[float, Field(gt=0, le=100)]


class NotifySpec(Spec):
    """Who hears of alarms."""

    email: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)], ...] = ()
    """Addresses; each confirms its subscription once."""


class AlarmsSpec(Spec):
    """Thresholds; `null` turns an alarm off."""

    cpu: Percent | None = 80
    """Percent of a service's reserved CPU, on average over five minutes."""

    memory: Percent | None = 85
    """Percent of a service's reserved memory, on average over five minutes."""

    error_rate: Percent | None = 5
    """Percent of requests answered with 5xx."""

    latency: Latency | None = 2000
    """The p99 of the response time."""

    unhealthy_tasks: bool = True
    """Tasks that fail the load balancer's health check."""

    missing_tasks: bool = True
    """Fewer tasks running than wanted."""

    training_failed: bool = True
    """A run of a trainer that ended with an error, or could not be started."""

    training_missing: bool = True
    """A scheduled run that did not happen."""


class MonitoringSpec(Spec):
    """What is watched."""

    notify: NotifySpec = Field(default_factory=NotifySpec)
    """Who hears of alarms."""

    log_retention: Duration = 30 * 86400
    """How long logs are kept: a number of days that CloudWatch Logs offers."""

    container_insights: Literal["disabled", "enabled", "enhanced"] = "enabled"
    """Metrics per cluster, service and task; `enhanced` adds those per container, at a price."""

    alarms: AlarmsSpec = Field(default_factory=AlarmsSpec)
    """Thresholds."""

    dashboard: bool = True
    """A CloudWatch dashboard for each service."""
