"""`spec.encryption`: the key of everything that is stored."""

from typing import Annotated

from mlopsgen.language.base import Choice, Either, Empty, NotYet


class EncryptionSpec(Either):
    """The key of everything that is stored: buckets, images, queues, topics, volumes, logs.

    It can be changed: what is stored stays under the key that it was stored with, and can be read as before; a key that is not used any more is kept. Image repositories are made anew under another name, and images pushed again. `volumes` cannot change it: a changed key would replace them, empty. Make another environment with the other encryption then, and copy the files.
    """

    own: Annotated[Empty | None, Choice(default=True)] = None
    """A KMS key of the pipeline's own."""

    aws_managed: Annotated[Empty | None, Choice()] = None
    """AES256 of S3, ECR and SQS: no key, no price."""

    existing: Annotated[NotYet, Choice()] = None
    """Somebody else's key, by its `arn`. Its policy must let this account's roles use it."""
