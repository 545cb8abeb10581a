"""`spec.patches`: the way to every property that the language has no word for."""

from typing import Annotated

from pydantic import Field

from mlopsgen.language.base import Item, Json, Name


class PatchSpec(Item):
    """One change to one resource, with its reason. A patch whose target is gone is an error."""

    stack: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    """The stack, such as `serving-sentiment-api`."""

    resource: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")]
    """Logical id of the resource, such as `Service`."""

    container: Name | None = None
    """In a task definition: the container where `path` starts."""

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+(\.[A-Za-z0-9]+)*$")]
    """Below `Properties`, with dots, such as `NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp`."""

    value: Json = None
    """The new value; `null` takes the property away."""

    reason: Annotated[str, Field(min_length=10, max_length=500)]
    """Why, for the reviewer. At least 10 characters."""
