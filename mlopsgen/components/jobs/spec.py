"""`spec.jobs`: containers that run to an end. One that `produces` a model is a trainer."""

from typing import Annotated

from pydantic import Field

from mlopsgen.components.monitoring.spec import JobAlarmsSpec
from mlopsgen.components.workloads.spec import WorkloadSpec
from mlopsgen.language.base import Choice, Item, Json, Name, NotYet, Spec
from mlopsgen.language.values import Cron, Duration, TimeZone

ParameterKey = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=128)]
"""A letter, then letters, digits and `_`, as the program calls the parameter."""


class TriggerScheduleSpec(Spec):
    """Starts by the clock."""

    cron: Cron
    """Five fields as in crontab: minute, hour, day of month, month, day of week."""

    time_zone: TimeZone = "UTC"
    """The IANA time zone that `cron` is read in, such as `Asia/Ho_Chi_Minh`."""


class TriggerSpec(Item):
    """What starts the job by itself. The program gets the trigger's name in `TRIGGER`."""

    enabled: bool = True
    """`false` keeps the trigger without using it."""

    schedule: Annotated[TriggerScheduleSpec | None, Choice()] = None
    """By the clock."""

    every: Annotated[NotYet, Choice()] = None
    """Again and again, after so long."""

    objects: Annotated[NotYet, Choice()] = None
    """New data below a prefix."""

    message: Annotated[NotYet, Choice()] = None
    """A queue; the message is in `MESSAGE`."""

    succeeded: Annotated[NotYet, Choice()] = None
    """A job or workflow."""

    alarm: Annotated[NotYet, Choice()] = None
    """An alarm such as `sentiment.drift`."""


class RetriesSpec(Spec):
    """How often a run is started again."""

    on_failure: NotYet = None
    """The program ended with an error. Kubernetes: backoffLimit."""

    on_lost_capacity: Annotated[int, Field(ge=0, le=10)] = 2
    """Spot taken back, host lost, no capacity at the hour."""


class JobSpec(WorkloadSpec):
    """A container that runs to an end; with `produces` it is a trainer (`mlopsgen local train JOB` runs it on a laptop). It needs `command` unless its image is built with `python`."""

    produces: Annotated[tuple[Name, ...], Field(max_length=1)] = ()
    """The models that it publishes; until more is said, at most one. `MODEL_NAME`, `MODEL_URI`, `CHECKPOINT_URI`, `PROMOTION` are the produced one's; what the job `loads` has `NAME_MODEL_URI` and `NAME_MODEL_VERSION` alone."""

    parameters: dict[ParameterKey, Json] = Field(default_factory=dict)
    """As JSON in `PARAMETERS`; on a laptop the option `--parameter` overrides."""

    # One of these three or none: they are no choices, of which one must stand.
    indexed: NotYet = None
    """Many runs, told apart by an index."""

    matrix: NotYet = None
    """One run for each combination of parameters."""

    nodes: NotYet = None
    """One run on several machines of the pool."""

    triggers: tuple[TriggerSpec, ...] = ()
    """What starts it by itself. Without one it starts by command or in a workflow."""

    timeout: Duration = 6 * 3600
    """The longest that one run may take."""

    retries: RetriesSpec = Field(default_factory=RetriesSpec)
    """How often a run is started again."""

    alarms: JobAlarmsSpec = Field(default_factory=JobAlarmsSpec)
    """Its own, before `monitoring.alarms.jobs`, key by key."""
