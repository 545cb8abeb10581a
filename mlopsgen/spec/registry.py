"""`spec.registry`: the image repositories."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.base import Spec


class RegistrySpec(Spec):
    """One private repository per image that is built here, with immutable tags."""

    keep_images: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many images each repository keeps; older ones expire."""

    scan_on_push: bool = True
    """Scan each image for known vulnerabilities when it is pushed."""

    encryption: Literal["AES256", "KMS"] = "KMS"
    """`KMS` uses the pipeline's own key. It cannot be changed later."""
