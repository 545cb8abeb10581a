"""Folders of buckets, and what it takes to read and to write the objects in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from troposphere import Sub

from mlopsgen.components.models.spec import ModelSpec
from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.parts.key import decrypt_what_is_stored, use_key
from mlopsgen.parts.policies import arn

_DECRYPTS = frozenset(("s3:GetObject", "s3:PutObject"))


class ObjectFolder(NamedTuple):
    """A folder of a bucket."""

    bucket: str
    """The bucket's name, for `Fn::Sub`."""
    path: str
    """With a slash at its end; empty for all of the bucket."""
    name: str
    """What people read: `raw/`, `models/sentiment/`."""

    def below(self, *steps: str) -> ObjectFolder:
        """A folder in this one."""
        rest = "".join(f"{step}/" for step in steps)
        return ObjectFolder(self.bucket, f"{self.path}{rest}", f"{self.name}{rest}")

    @property
    def uri(self) -> Sub:
        """How programs name it: `s3://BUCKET/PATH/`."""
        return Sub(f"s3://{self.bucket}/{self.path}")

    def object(self, name: str) -> Sub:
        """The ARN of an object in it."""
        return arn("s3", f"{self.bucket}/{self.path}{name}")


def folder(site: Site, prefix: str) -> ObjectFolder:
    """The folder that `reads` and `writes` name. Raises KeyError; the rules see that it is there."""
    found = site.prefixes[prefix]
    return ObjectFolder(found.bucket, found.folder, f"{found.name}/")


def folders(site: Site, prefixes: Iterable[str]) -> tuple[ObjectFolder, ...]:
    """The folders that a list names, each once, by name."""
    return tuple(folder(site, each) for each in sorted(set(prefixes)))


def versions(site: Site, model: ModelSpec) -> ObjectFolder:
    """Where a model's versions lie, and its pointer `current.json`."""
    return folder(site, model.store).below(model.name)


def read(each: ObjectFolder) -> tuple[Grant, ...]:
    """Get the objects of a folder, and list it alone."""
    objects = Grant(("s3:GetObject", "s3:GetObjectVersion"), (each.object("*"),), f"reads {each.name}")
    return objects, _list(each)


def sees_pointer(each: ObjectFolder) -> Grant:
    """See whether a model has a current version, and nothing of what is in it."""
    return Grant(
        ("s3:ListBucket",),
        (arn("s3", each.bucket),),
        f"sees whether {each.name} has a version",
        (("StringEquals", "s3:prefix", f"{each.path}current.json"),),
    )


def write(each: ObjectFolder) -> tuple[Grant, ...]:
    """Put objects into a folder, in parts too, and list it alone. Nothing can be deleted."""
    objects = Grant(
        ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"),
        (each.object("*"),),
        f"writes {each.name}",
    )
    return objects, _list(each)


def decrypt(site: Site, grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """The use of keys that `grants` on objects need, through S3 alone.

    Also where AWS manages the keys: what a key of the pipeline's own encrypted before needs it to be read. An
    upload in parts is read too (Amazon S3 API reference, CreateMultipartUpload, "Encryption").
    """
    actions = {action for grant in grants for action in grant.actions}
    found: list[Grant] = []
    if actions & _DECRYPTS:
        found.append(decrypt_what_is_stored(site, "decrypt data through S3", "s3"))
    if "s3:PutObject" in actions:
        found += use_key(site, ("kms:GenerateDataKey",), "s3", "encrypt data through S3")
    return tuple(found)


def _list(each: ObjectFolder) -> Grant:
    within = (("StringLike", "s3:prefix", (each.path, f"{each.path}*")),) if each.path else ()
    return Grant(("s3:ListBucket",), (arn("s3", each.bucket),), f"lists {each.name}", within)
