"""`spec.storage`: the data bucket, the bucket for access logs, and who may touch which prefix."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Sub, s3

from mlopsgen.components.base import Component, Site
from mlopsgen.plan import Part, Resource

STACK = "foundation"
ORIGIN = ("spec", "storage")


class Storage(Component):
    """One bucket with a folder for each prefix."""

    def declare(self, site: Site) -> Iterator[Part]:
        bucket = s3.Bucket(
            "DataBucket",
            BucketName=Sub(site.data_bucket),
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        )
        yield Resource(STACK, "DataBucket", bucket, ORIGIN)
