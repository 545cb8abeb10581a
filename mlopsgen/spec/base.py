"""What every section of the language shares."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue


def camel(name: str) -> str:
    """`keep_images` as the file spells it: `keepImages`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class Spec(BaseModel):
    """A closed map: unknown keys are errors, no scalar is converted, and values never change.

    Lists are tuples, in the documents that are validated too.
    """

    model_config = ConfigDict(
        alias_generator=camel,
        defer_build=True,
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_name=True,
    )


Name = Annotated[str, Field(pattern=r"^[a-z](-?[a-z0-9])*$", max_length=32)]
"""Lowercase letters, digits and single hyphens, as Kubernetes names are; at most 32 characters."""

Arn = Annotated[
    str, Field(pattern=r"^arn:aws(-[a-z]+)*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}|aws)?:[^\s*?'\"\\$`]+$")
]
"""An Amazon Resource Name, without wildcards."""

AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
"""An AWS account: twelve digits, in quotes."""

Cidr = Annotated[str, Field(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$")]
"""An IPv4 range such as `10.20.0.0/16`."""

AbsolutePath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=256)]
"""A path on a server or in a container."""

RelativePath = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-][A-Za-z0-9._/-]*$", max_length=256)]
"""A path below the folder of `pipeline.yaml`, or below the build context."""

EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
"""The name of an environment variable."""


def _lists(value: object) -> object:
    match value:
        case tuple() | list():
            return [_lists(item) for item in value]
        case dict():
            return {key: _lists(item) for key, item in value.items()}
        case _:
            return value


Json = Annotated[JsonValue, BeforeValidator(_lists)]
"""Anything that JSON can say, handed on as it is."""
