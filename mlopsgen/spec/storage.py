"""`spec.storage`: the data bucket and its prefixes."""

from typing import Literal

from pydantic import Field

from mlopsgen.spec.base import Name, Spec
from mlopsgen.spec.quantities import Duration

DAY = 86400


class TransitionSpec(Spec):
    """A move to a cheaper storage class."""

    after: Duration
    """Age of an object when it moves, in whole days."""

    storage_class: Literal[
        "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"
    ]
    """The class that it moves to."""


class PrefixSpec(Spec):
    """A folder of the bucket, and what becomes of its objects."""

    name: Name
    """The folder's name; components name it in `reads` and `writes`."""

    transitions: tuple[TransitionSpec, ...] = ()
    """Moves to cheaper storage classes, by age."""

    expire_after: Duration | None = None
    """Age at which objects are deleted, in whole days."""


class AccessLogsSpec(Spec):
    """Who asked for what, written to a log bucket of its own."""

    expire_after: Duration = 365 * DAY
    """Age at which log files are deleted, in whole days."""


def _prefixes() -> tuple[PrefixSpec, ...]:
    return (
        PrefixSpec(name="raw"),
        PrefixSpec(name="processed"),
        PrefixSpec(name="models"),
        PrefixSpec.model_validate({"name": "logs", "expireAfter": "90d"}),
    )


class StorageSpec(Spec):
    """One versioned, private, encrypted bucket for data and models. It outlives the stack."""

    encryption: Literal["AES256", "aws:kms"] = "aws:kms"
    """`aws:kms` uses a key of the pipeline's own, with a bucket key; `AES256` the one S3 manages."""

    prefixes: tuple[PrefixSpec, ...] = Field(default_factory=_prefixes)
    """The folders. `models` is where models are published, and is added if it is not named."""

    noncurrent_expire_after: Duration = 30 * DAY
    """How long a replaced or deleted version of an object is kept, in whole days."""

    abort_uploads_after: Duration = 7 * DAY
    """When an unfinished multipart upload is given up, in whole days."""

    access_logs: AccessLogsSpec | None = Field(default_factory=AccessLogsSpec)
    """The log of requests to the bucket; `null` turns it off."""
