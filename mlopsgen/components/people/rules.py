"""Roles for people: somebody can assume them, and they say how far they reach."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.components.people.reach import reach
from mlopsgen.components.people.spec import RoleSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.parts.roles import trust_people
from mlopsgen.rules.places import each
from mlopsgen.rules.registry import Scene, rule


def _roles(scene: Scene) -> Iterator[tuple[SpecPath, RoleSpec]]:
    yield from each(("spec", "people", "roles"), scene.site.spec.people.roles)


@rule(
    "E272",
    "a role that nobody can assume",
    """`principals` are the users, roles and accounts that may assume it. Without one the role is of no use to
    anybody.""",
    "spec: {people: {roles: [{name: analyst, preset: analyst}]}}",
    """
    spec:
      people:
        roles: [{name: analyst, preset: analyst, principals: ["arn:aws:iam::123456789012:role/analysts"]}]
    """,
)
def nobody(scene: Scene) -> Iterable[Finding]:
    """Somebody can assume each role."""
    for path, role in _roles(scene):
        if not role.principals:
            yield Finding(
                (*path, "name"),
                f"nobody can assume the role `{role.name}`",
                "name ARNs of roles, users or accounts in `principals`",
            )


LONGEST_TRUST = 2048
"""Characters of a trust policy (IAM user guide, "IAM and AWS STS quotas")."""


@rule(
    "E363",
    "more principals than a role takes",
    """The policy of who may assume a role has 2,048 characters by default, which is room for some 35 ARNs. Let
    people share a role of their own, and name that.""",
)
def long_trust(scene: Scene) -> Iterable[Finding]:
    """All that may assume a role stand in its trust policy."""
    for path, role in _roles(scene):
        size = len(json.dumps(trust_people(role.principals), separators=(",", ":")))
        if size > LONGEST_TRUST:
            yield Finding(
                (*path, "principals"),
                f"the trust policy of `{role.name}` becomes {size:,} characters; IAM takes {LONGEST_TRUST:,}",
                "name a role that these people share, or an account",
            )


@rule(
    "W260",
    "a role that runs more than it reads",
    """ECS lets whoever starts a run give it another command. Who may run a job can therefore read all that the
    job reads, and write all that it writes; a shorter list in `reads` or `writes` only looks narrower.""",
    """
    spec:
      jobs: [{name: trainer, reads: [raw]}]
      people:
        roles:
          - name: trainers
            principals: ["arn:aws:iam::123456789012:role/scientists"]
            reads: []
            runs: [trainer]
    """,
    """
    spec:
      jobs: [{name: trainer, reads: [raw]}]
      people:
        roles:
          - name: trainers
            principals: ["arn:aws:iam::123456789012:role/scientists"]
            reads: [raw]
            runs: [trainer]
    """,
)
def runs_more(scene: Scene) -> Iterable[Finding]:
    """What a role says that it reads and writes is what the jobs that it runs read and write."""
    jobs = {job.name: job for job in scene.site.spec.jobs}
    for path, role in _roles(scene):
        runs = reach(scene.site, role).runs
        for verb in ("reads", "writes"):
            written: tuple[str, ...] | None = getattr(role, verb)
            for name in runs if written is not None else ():
                more = _more(jobs.get(name), verb, written or ())
                if more:
                    yield Finding(
                        (*path, verb),
                        f"`{role.name}` runs `{name}`, which {verb} {', '.join(more)}",
                        f"add {'them' if len(more) > 1 else 'it'} to `{verb}`, or run fewer jobs",
                    )


def _more(job: JobSpec | None, verb: str, written: tuple[str, ...]) -> list[str]:
    """What the job uses and the role does not name."""
    used: tuple[str, ...] = getattr(job, verb, ())
    return [f"`{name}`" for name in used if name not in written]
