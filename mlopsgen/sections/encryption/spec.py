"""`spec.encryption`: the key of everything that is stored."""

from typing import Annotated

from mlopsgen.language.base import Choice, Either, Empty, NotYet


class EncryptionSpec(Either):
    """The key of everything that is stored: buckets, images, queues, topics, volumes, logs.

    Image repositories, `volumes` and disks cannot change it: a changed key would replace them, empty.
    """

    own: Annotated[Empty | None, Choice(default=True)] = None
    """A KMS key of the pipeline's own."""

    aws_managed: Annotated[Empty | None, Choice()] = None
    """AES256 of S3, ECR and SQS: no key, no price."""

    existing: Annotated[NotYet, Choice()] = None
    """Somebody else's key, by its `arn`. Its policy must let this account's roles use it."""
