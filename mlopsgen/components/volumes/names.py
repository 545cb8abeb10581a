"""How the other stacks name what the stack `volumes` has of each volume."""

from __future__ import annotations

from mlopsgen.model.values import Published

STACK = "volumes"


def file_system_id(volume: str) -> Published:
    """The file system's id."""
    return Published(
        STACK, f"volumes/{volume}/file-system-id", "String", f"The file system of volume {volume}"
    )


def access_point_id(volume: str) -> Published:
    """The id of the access point that tasks come through."""
    return Published(STACK, f"volumes/{volume}/access-point-id", "String", f"The way into volume {volume}")


def security_group_id(volume: str) -> Published:
    """The security group of its mount targets."""
    what = f"Who reaches volume {volume}"
    return Published(STACK, f"volumes/{volume}/security-group-id", "AWS::EC2::SecurityGroup::Id", what)
