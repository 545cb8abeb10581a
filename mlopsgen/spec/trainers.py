"""`spec.trainers`: jobs that produce models."""

from typing import Annotated

from pydantic import Field

from mlopsgen.spec.base import Json, Name, Spec
from mlopsgen.spec.quantities import Duration
from mlopsgen.spec.workload import WorkloadSpec

Cron = Annotated[str, Field(pattern=r"^\S+( \S+){4}$", max_length=100)]
"""Five fields as in crontab: minute, hour, day of month, month, day of week."""

Timezone = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", max_length=50)]
"""A name of the IANA time zone database."""


class ScheduleSpec(Spec):
    """When it starts by itself."""

    cron: Cron
    """Five fields as in crontab: minute, hour, day of month, month, day of week."""

    timezone: Timezone = "UTC"
    """The time zone that `cron` is read in, such as `Asia/Ho_Chi_Minh`."""

    enabled: bool = True
    """`false` keeps the schedule without running it."""


class TrainerSpec(WorkloadSpec):
    """A job that reads data, trains, and publishes a version of a model."""

    produces: Name | None = None
    """The model that it publishes."""

    command: tuple[str, ...] = ()
    """The command, as a list, instead of the image's own. An image given by `uri` needs it: the timeout takes the place of that image's entry point, and the image must contain `timeout` of GNU coreutils."""

    hyperparameters: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], Json] = Field(
        default_factory=dict
    )
    """Settings for the program, handed over as JSON in `HYPERPARAMETERS`."""

    schedule: ScheduleSpec | None = None
    """When it starts by itself; without one it is started by a command."""

    timeout: Duration = 6 * 3600
    """The longest that one run may take."""

    retries: Annotated[int, Field(ge=0, le=5)] = 2
    """How often a run that lost its capacity (spot, a failed host) is started again."""

    stop_timeout: Duration = 120
    """Time between SIGTERM and SIGKILL, at most 120s: time to save a checkpoint."""
