"""Delivery from GitHub: what it names exists, and what an account has once is made once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlopsgen.components.delivery.duration import LONGEST_JOB, duration
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.language.values import write_duration
from mlopsgen.rules.places import each, services
from mlopsgen.rules.registry import Scene, nearest, rule

PATH = ("spec", "delivery")


@rule(
    "E220",
    "a stage that is no environment",
    """`delivery.stages` lists environments of this pipeline in the order in which they are delivered, each once. A
    pipeline without environments has one, `default`.""",
    """
    spec:
      delivery: {github: {repository: example/demo}, stages: [{name: prdo}]}
      environments: {prod: {}}
    """,
    """
    spec:
      delivery: {github: {repository: example/demo}, stages: [{name: prod}]}
      environments: {prod: {}}
    """,
)
def unknown_environment(scene: Scene) -> Iterable[Finding]:
    """Each stage is an environment."""
    delivery = scene.site.spec.delivery
    known = [site.environment for site in scene.sites]
    for path, stage in each((*PATH, "stages"), delivery.stages if delivery else ()):
        if stage.name not in known:
            help_ = nearest(stage.name, known, "environments")
            yield Finding((*path, "name"), f"no environment `{stage.name}`", help_)


@rule(
    "E270",
    "several environments without an order",
    """With more than one environment `delivery.stages` says which are delivered, and in which order: nothing here
    knows that one comes before another.""",
    """
    spec:
      delivery: {github: {repository: example/demo}}
      environments: {dev: {}, prod: {}}
    """,
    """
    spec:
      delivery: {github: {repository: example/demo}, stages: [{name: dev}, {name: prod, approval: true}]}
      environments: {dev: {}, prod: {}}
    """,
)
def no_order(scene: Scene) -> Iterable[Finding]:
    """Where there are several environments, the stages are named."""
    delivery = scene.site.spec.delivery
    if delivery and delivery.github and not delivery.stages and len(scene.sites) > 1:
        names = ", ".join(f"{{name: {site.environment}}}" for site in scene.sites)
        yield Finding(
            PATH,
            f"{len(scene.sites)} environments, and nothing says in which order they are delivered",
            f"say `stages: [{names}]`, in your order",
            key=True,
        )


@rule(
    "E222",
    "two environments create one account's provider",
    """An AWS account has one OpenID Connect provider for GitHub. One environment of the account can create
    it, all others use the existing one. Environments in different accounts say so in `aws.account`.""",
    """
    spec:
      delivery:
        github: {repository: example/demo, oidcProvider: create}
        stages: [{name: dev}, {name: prod}]
      environments: {dev: {}, prod: {}}
    """,
    """
    spec:
      delivery: {github: {repository: example/demo}, stages: [{name: dev}, {name: prod}]}
      environments:
        dev: {delivery: {github: {oidcProvider: create}}}
        prod: {}
    """,
)
def providers_of_one_account(scene: Scene) -> Iterable[Finding]:
    """An account has one provider for GitHub, so one environment creates it."""
    site = scene.site
    if not _creates(scene):
        return
    for other in scene.earlier:
        if _creates(scene._replace(site=other)) and site.spec.aws.account == other.spec.aws.account:
            where = f"account {site.spec.aws.account}" if site.spec.aws.account else "one account"
            yield Finding(
                (*PATH, "github", "oidcProvider"),
                f"environment `{other.environment}` creates GitHub's provider in {where} too, "
                "which can have one",
                "leave `create` to one of them, or say in `aws.account` that they are in two accounts",
            )
            return


def _creates(scene: Scene) -> bool:
    delivery = scene.site.spec.delivery
    github = delivery.github if delivery else None
    return scene.site.delivers and github is not None and github.oidc_provider == "create"


@rule(
    "E271",
    "a branch that Git does not know by this name",
    """`branch` is a branch's own name. `refs/heads/` is put before it where GitHub wants it, and Git itself takes no
    `..`, no `//`, and no end in `.lock`, `.` or `/` (git help check-ref-format).""",
    "spec: {delivery: {github: {repository: example/demo}, branch: refs/heads/main}}",
    "spec: {delivery: {github: {repository: example/demo}, branch: main}}",
)
def branch(scene: Scene) -> Iterable[Finding]:
    """The branch's name is one that Git takes."""
    delivery = scene.site.spec.delivery
    name = delivery.branch if delivery else ""
    if name.startswith("refs/"):
        short = name.removeprefix("refs/heads/")
        help_ = f"say `{short}`" if short != name else "name a branch, without `refs/`"
        yield Finding((*PATH, "branch"), f"`{name}` is a reference, not a branch", help_)
    elif name == "HEAD" or re.search(r"\.\.|//|/\.|\.lock(/|$)|[./]$", name):
        yield Finding(
            (*PATH, "branch"), f"Git takes no branch `{name}`", "name the branch as `git branch` does"
        )


@rule(
    "E273",
    "a repository that GitHub does not have by this name",
    """`repository` is `owner/name` as it stands in the repository's address, without `.git`. An owner's name ends with
    a letter or digit (GitHub Docs, "Username considerations for external authentication"), and no repository is
    called `.` or `..`.""",
    "spec: {delivery: {github: {repository: example/demo.git}}}",
    "spec: {delivery: {github: {repository: example/demo}}}",
)
def repository(scene: Scene) -> Iterable[Finding]:
    """GitHub could have the repository."""
    delivery = scene.site.spec.delivery
    name = delivery.github.repository if delivery and delivery.github else ""
    owner, _, own = name.partition("/")
    path = (*PATH, "github", "repository")
    if own.endswith(".git"):
        yield Finding(path, "no repository's name ends with `.git`", f"say `{name.removesuffix('.git')}`")
    elif own in (".", ".."):
        yield Finding(path, f"no repository is called `{own}`", "say `owner/name`, as in its address")
    elif owner.endswith("-"):
        yield Finding(path, f"no owner on GitHub is called `{owner}`", "say `owner/name`, as in its address")


@rule(
    "W211",
    "a delivery that takes longer than its job may",
    """A job on GitHub's own runners ends after six hours (GitHub Docs, "Actions limits"). The workflow's job is
    given three hours and the time of every `canary`, `linear` and `blueGreen`; with `firstModel: train` also the
    longest that the trainers may run. Where that is more, the job ends red and AWS goes on: the next run waits for
    it. Nothing is lost, and nobody is told how it ended.""",
    """
    spec:
      delivery: {github: {repository: example/demo}}
      services:
        - {name: api, ingress: [{name: web}], deployment: {linear: {share: 5%, stepTime: 60m}}}
    """,
    """
    spec:
      delivery: {github: {repository: example/demo}}
      services:
        - {name: api, ingress: [{name: web}], deployment: {linear: {share: 20%, stepTime: 15m}}}
    """,
)
def too_long(scene: Scene) -> Iterable[Finding]:
    """What one delivery asks for is over before its job is."""
    site = scene.site
    takes = duration(site)
    if not site.delivers or takes <= LONGEST_JOB:
        return
    longest = max(services(scene), key=lambda found: found[1].deployment.shift_seconds, default=None)
    if longest and longest[1].deployment.shift_seconds:
        path, spec, service = longest
        at = (*path, "deployment", service.strategy)
        help_ = "take larger or shorter steps, or deploy this environment by hand: leave it out of the stages"
        said = f"`{service.name}` shifts its traffic for {write_duration(spec.deployment.shift_seconds)}; "
    else:
        at, help_ = (*PATH, "firstModel"), "say `wait`, and train the first model by hand"
        said = "a first training may take long; "
    yield Finding(
        at,
        f"{said}with all else a delivery takes up to {write_duration(takes)}, and a job of GitHub's ends after "
        f"{write_duration(LONGEST_JOB)}",
        help_,
        key=True,
    )
