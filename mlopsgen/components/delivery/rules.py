"""Delivery from GitHub: what it names exists, and what an account has once is made once."""

from __future__ import annotations

from collections.abc import Iterable

from mlopsgen.checks.rule import Finding, Scene, nearest, rule

PATH = ("spec", "delivery", "github")


@rule("E220")
def unknown_environment(scene: Scene) -> Iterable[Finding]:
    """The workflow deploys declared environments, each once."""
    github = scene.site.spec.delivery.github
    known = [each.environment for each in scene.sites]
    for index, name in enumerate(github.environments if github else ()):
        path = (*PATH, "environments", index)
        if name not in known:
            yield Finding(path, f"no environment `{name}`", nearest(name, known, "environments"))
        elif github and name in github.environments[:index]:
            yield Finding(path, f"environment `{name}` is listed twice", "take one away")


@rule("E221")
def half_an_identity(scene: Scene) -> Iterable[Finding]:
    """A token carries the numbers of the owner and of the repository, both or none."""
    github = scene.site.spec.delivery.github
    if github and (github.owner_id is None) != (github.repository_id is None):
        given, missing = "ownerId", "repositoryId"
        if github.owner_id is None:
            given, missing = missing, given
        yield Finding(
            (*PATH, given),
            f"`{given}` is given without `{missing}`",
            f"`gh api repos/{github.repository} --jq '.owner.id, .id'` prints both",
        )


@rule("E222")
def providers_of_one_account(scene: Scene) -> Iterable[Finding]:
    """An account has one provider for GitHub, so one environment creates it."""
    site = scene.site
    if not site.github or site.github.oidc_provider != "create":
        return
    for other in scene.before:
        creates = other.github and other.github.oidc_provider == "create"
        if creates and site.spec.aws.account == other.spec.aws.account:
            where = f"account {site.spec.aws.account}" if site.spec.aws.account else "one account"
            yield Finding(
                (*PATH, "oidcProvider"),
                f"environments `{other.environment}` and `{site.environment}` both create GitHub's "
                f"provider in {where}, which can have one",
                "leave `create` to one of them, or say in `aws.account` that they are in two accounts",
            )
            return
