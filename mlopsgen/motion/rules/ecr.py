"""Image repositories."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mlopsgen.motion.live import Live
from mlopsgen.motion.rule import Event, Said, on

_REPOSITORY = "AWS::ECR::Repository"


@on(
    "repository-not-empty",
    "left-over",
    ("delete",),
    (_REPOSITORY,),
    instead="`DeletionPolicy: Retain`, or `EmptyOnDelete`",
    source="Amazon ECR API reference, DeleteRepository: RepositoryNotEmptyException",
)
def _full(event: Event) -> Iterator[Said]:
    """A repository goes only when it is empty, or is told to be emptied."""
    if event.old.word("EmptyOnDelete") != "true":
        yield Said(
            "a repository that holds images cannot be deleted", assumption="the repository holds images"
        )


@on(
    "images-expire-sooner",
    "loses",
    ("create", "update", "replace"),
    (_REPOSITORY,),
    instead="keep at least three images: the one that runs, the one before, and the one that is pushed",
    source='Amazon ECR user guide, "Lifecycle policies": images that match are expired, whoever runs them',
)
def _sooner(event: Event) -> Iterator[Said]:
    """The policy does not ask which image runs."""
    after, before = _kept(event.new), _kept(event.before) if event.before else None
    if after is None:
        return
    change = event.changed("LifecyclePolicy")
    if after < 3 and after != before:
        yield Said(f"of {after} images the one that runs is the next to go", change)
    elif event.trigger == "update" and (before is None or after < before):
        yield Said(f"only {after} images stay", change)


def _kept(repository: Live) -> int | None:
    """How many images of a kind its policy leaves at least; None if it leaves all."""
    try:
        found = json.loads(repository.word("LifecyclePolicy", "LifecyclePolicyText") or "{}")
        counts = [
            int(each["selection"]["countNumber"])
            for each in found.get("rules", ())
            if each["selection"]["countType"] == "imageCountMoreThan"
            and each["selection"].get("tagStatus") != "untagged"
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return min(counts, default=None)
