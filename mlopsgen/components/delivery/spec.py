"""`spec.delivery`: how a change in Git reaches AWS."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.language.base import Choice, Item, NotYet, Spec, Varies
from mlopsgen.language.values import File


class GithubIdsSpec(Spec):
    """The numbers of owner and repository, for repositories whose tokens carry them (created or renamed since 15 July 2026)."""

    owner: Annotated[int, Field(ge=1)]
    """The owner's number."""

    repository: Annotated[int, Field(ge=1)]
    """The repository's number."""


class GithubSpec(Spec):
    """A GitHub Actions workflow, and the one role that it may assume."""

    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$")]
    """`owner/name`."""

    ids: GithubIdsSpec | None = None
    """For repositories whose tokens carry them."""

    oidc_provider: Annotated[Literal["create", "existing"], Varies()] = "existing"
    """Of each account; `create` in two environments of one account is refused. One that was made stays when the environment goes or says `existing`: from then on say `existing`."""


class StageSpec(Item):
    """An environment that is delivered."""

    approval: bool = False
    """Whether a person must agree first. The job fails while GitHub's environment has no required reviewers."""

    before: NotYet = None
    """Jobs that run before it: migrations."""

    after: NotYet = None
    """Jobs that run after it: smoke tests."""


class CompilerArchiveSpec(Spec):
    """A wheel or an archive of the compiler's source."""

    url: Annotated[str, Field(pattern=r"^https://[A-Za-z0-9._~/%+:@-]+/[A-Za-z0-9._+-]+\.(whl|tar\.gz|zip)$")]
    """Where it is fetched."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Its digest."""


class CompilerSpec(Spec):
    """Where the workflow gets the compiler, byte for byte."""

    requirement: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9._-]+(\[[A-Za-z0-9._,-]+\])?==[A-Za-z0-9.!+_-]+( --hash=sha256:[0-9a-f]{64})+$"
        ),
        Choice(),
    ] = None
    """A version on the package index with its digests: `mlopsgen==0.2.0 --hash=sha256:…`."""

    archive: Annotated[CompilerArchiveSpec | None, Choice()] = None
    """A file elsewhere."""

    lock: Annotated[File | None, Choice()] = None
    """A requirements file with digests for the compiler and all that it needs, as `pip-compile --generate-hashes` makes it. Wheels alone are installed."""


class DeliverySpec(Spec):
    """How a change in Git reaches AWS."""

    github: Annotated[GithubSpec | None, Choice()] = None
    """GitHub Actions."""

    gitlab: Annotated[NotYet, Choice()] = None
    """GitLab CI."""

    jenkins: Annotated[NotYet, Choice()] = None
    """Jenkins."""

    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)] = "main"
    """The only one that may deploy; no `refs/heads/`."""

    stages: tuple[StageSpec, ...] = ()
    """In order; required when there is more than one environment. What it leaves out is not delivered."""

    first_model: Annotated[Literal["wait", "train"], Varies()] = "wait"
    """A service whose model has no version yet is left out with a notice, or the trainer is started."""

    compiler: CompilerSpec | None = None
    """Where the workflow gets the compiler. Without it the workflow checks digests and compiles nothing."""

    working_directory: File | None = None
    """Monorepos: the pipeline's folder in the repository, which is also the path filter."""
