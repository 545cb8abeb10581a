"""`spec.buckets`: object storage."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.language.base import Filled, Item, NotYet, Spec
from mlopsgen.language.values import DAY, Duration

FolderPath = Annotated[
    str, Filled(), Field(pattern=r"^(/|[A-Za-z0-9!_.*'()=-]+(/[A-Za-z0-9!_.*'()=-]+)*/?)$", max_length=512)
]
"""A folder of a bucket such as `photos/2026`, without a leading `/`; `/` alone is all of the bucket."""


class TransitionSpec(Spec):
    """A move to a cheaper storage class."""

    after: Duration
    """Age of an object when it moves, in whole days."""

    storage_class: Literal[
        "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"
    ]
    """The class that it moves to."""


class PrefixSpec(Item):
    """A folder of the bucket, and what becomes of its objects. Its name is unique over all buckets; `reads` and `writes` name it."""

    path: FolderPath | None = None
    """FolderPath in the bucket, by default the name; `/` is all of it."""

    transitions: tuple[TransitionSpec, ...] = ()
    """Moves to cheaper storage classes, by age. Replaced as a whole by an environment."""

    expire_after: Duration | None = None
    """Age at which objects are deleted, in whole days."""


class VersionsSpec(Spec):
    """What becomes of old versions of objects. The bucket always keeps versions."""

    expire_after: Duration = 30 * DAY
    """How long a replaced or deleted version stays, in whole days."""


class AccessLogsSpec(Spec):
    """Who asked for what, written to a log bucket of its own."""

    enabled: bool = True
    """`false`: nothing is written."""

    expire_after: Duration = 365 * DAY
    """Age at which log files are deleted, in whole days."""


class BucketSpec(Item):
    """A private, encrypted bucket that keeps versions. It outlives its stack."""

    existing: NotYet = None
    """Somebody else's; beside it only `prefixes`, and in them only `name` and `path`."""

    prefixes: Annotated[tuple[PrefixSpec, ...], Field(min_length=1)]
    """Its folders."""

    versions: VersionsSpec = Field(default_factory=VersionsSpec)
    """What becomes of old versions."""

    access_logs: AccessLogsSpec = Field(default_factory=AccessLogsSpec)
    """Who asked for what."""

    abort_uploads_after: Duration = 7 * DAY
    """When an unfinished multipart upload is given up, in whole days."""

    object_lock: NotYet = None
    """Write once. Cannot be taken away."""

    replication: NotYet = None
    """A live copy elsewhere."""

    backup: NotYet = None
    """Copies that survive deletion."""


def data_bucket() -> BucketSpec:
    """The bucket that is there without being declared, with all its prefixes."""
    prefixes = ({"name": "raw"}, {"name": "processed"}, {"name": "models"}, LOGS)
    return BucketSpec.model_validate({"name": "data", "prefixes": prefixes})


LOGS = {"name": "logs", "expireAfter": "90d"}
