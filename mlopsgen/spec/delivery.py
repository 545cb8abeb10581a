"""`spec.delivery`: how a change in Git reaches AWS."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.base import Name, Spec


class GithubSpec(Spec):
    """A GitHub Actions workflow, and the one role that it may assume."""

    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$")]
    """`owner/name`."""

    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)] = "main"
    """The only branch that may deploy."""

    owner_id: Annotated[int, Field(ge=1)] | None = None
    """The owner's number, for repositories whose tokens carry it (created or renamed since 15 July 2026)."""

    repository_id: Annotated[int, Field(ge=1)] | None = None
    """The repository's number; give it together with `ownerId`."""

    environments: tuple[Name, ...] = ()
    """The environments that the workflow deploys, in order; by default all of them by name."""

    oidc_provider: Literal["create", "existing"] = "existing"
    """An account has one provider for GitHub: create it here, or use the one that is there."""


class DeliverySpec(Spec):
    """How a change in Git reaches AWS."""

    github: GithubSpec | None = None
    """Deliver with GitHub Actions."""
