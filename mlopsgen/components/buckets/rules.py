"""What S3 takes as a lifecycle, and prefixes that come into each other's way.

Amazon S3 user guide, "Transitioning objects using Amazon S3 Lifecycle".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise

from mlopsgen.components.buckets.spec import PrefixSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.values import DAY, write_duration
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule

CLASSES = (
    "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE",
)  # fmt: skip
"""Objects go down this list and never up."""
INFREQUENT = ("STANDARD_IA", "ONEZONE_IA")
INFREQUENT_DAYS = 30
BILLED = {"STANDARD_IA": 30, "ONEZONE_IA": 30, "GLACIER_IR": 90, "GLACIER": 90, "DEEP_ARCHIVE": 180}
"""Days that an object is paid for, however soon it is deleted."""
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def prefixes(scene: Scene) -> Iterator[tuple[SpecPath, PrefixSpec]]:
    """Every declared prefix with its place."""
    for path, bucket in each(("spec", "buckets"), scene.site.spec.buckets):
        yield from each((*path, "prefixes"), bucket.prefixes)


@rule(
    "E216",
    "two prefixes of one bucket, one inside the other",
    """What may be read and written, and what expires, is said by folder. A prefix inside another's folder
    would have the rights and the lifecycle of both. A prefix with `path: /` is the only one of its bucket.""",
    """
    spec:
      buckets:
        - {name: lake, prefixes: [{name: photos}, {name: recent, path: photos/2026}]}
    """,
    """
    spec:
      buckets:
        - {name: lake, prefixes: [{name: photos, path: photos/all}, {name: recent, path: photos/2026}]}
    """,
)
def prefixes_inside_each_other(scene: Scene) -> Iterable[Finding]:
    """Folders of one bucket lie beside each other."""
    for path, bucket in each(("spec", "buckets"), scene.site.spec.buckets):
        folders = [
            ((*at, "path" if one.path else "name"), one.name, folder(one))
            for at, one in each((*path, "prefixes"), bucket.prefixes)
        ]
        for (first_at, first, outer), (at, name, inner) in combinations(folders, 2):
            if name != first and (inner.startswith(outer) or outer.startswith(inner)):
                message = (
                    f"prefix `{name}` is the same folder as `{first}`"
                    if inner == outer
                    else f"prefixes `{first}` and `{name}` lie inside each other: "
                    f"{bucket.name}/{outer} and {bucket.name}/{inner}"
                )
                yield Finding(
                    at,
                    message,
                    "give each a folder of its own with `path`",
                    ((first_at, f"prefix `{first}`"),),
                )


def folder(prefix: PrefixSpec) -> str:
    """Its path in the bucket, with a slash at its end; empty for all of the bucket."""
    path = (prefix.path or prefix.name).strip("/")
    return f"{path}/" if path else ""


@rule(
    "E330",
    "no whole number of days",
    "S3 counts the age of objects in whole days, and deletes none before it is one day old.",
    "spec: {buckets: [{name: data, prefixes: [{name: logs, expireAfter: 12h}]}]}",
    "spec: {buckets: [{name: data, prefixes: [{name: logs, expireAfter: 1d}]}]}",
)
def whole_days(scene: Scene) -> Iterable[Finding]:
    """S3 counts in whole days, from one on; only a transition may come at once."""
    found: list[tuple[SpecPath, int, int]] = []
    for path, bucket in each(("spec", "buckets"), scene.site.spec.buckets):
        found.append(((*path, "versions", "expireAfter"), bucket.versions.expire_after, 1))
        found.append(((*path, "abortUploadsAfter"), bucket.abort_uploads_after, 1))
        found.append(((*path, "accessLogs", "expireAfter"), bucket.access_logs.expire_after, 1))
    for path, prefix in prefixes(scene):
        if prefix.expire_after is not None:
            found.append(((*path, "expireAfter"), prefix.expire_after, 1))
        for at, move in each((*path, "transitions"), prefix.transitions):
            found.append(((*at, "after"), move.after, 0))
    for path, seconds, least in found:
        if seconds % DAY or seconds < least * DAY:
            nearest = max(least, round(seconds / DAY))
            yield Finding(path, f"{write_duration(seconds)} is no whole number of days", f"say `{nearest}d`")


@rule(
    "E331",
    "infrequent access before 30 days",
    "S3 moves objects to STANDARD_IA and ONEZONE_IA once they are 30 days old.",
    """
    spec:
      buckets:
        - name: data
          prefixes: [{name: raw, transitions: [{after: 7d, storageClass: STANDARD_IA}]}]
    """,
    """
    spec:
      buckets:
        - name: data
          prefixes: [{name: raw, transitions: [{after: 30d, storageClass: STANDARD_IA}]}]
    """,
)
def infrequent_too_soon(scene: Scene) -> Iterable[Finding]:
    """Classes for infrequent access take objects of 30 days and more."""
    for path, prefix in prefixes(scene):
        for at, move in each((*path, "transitions"), prefix.transitions):
            if move.storage_class in INFREQUENT and move.after < INFREQUENT_DAYS * DAY:
                yield Finding(
                    (*at, "after"),
                    f"{move.storage_class} takes objects that are {INFREQUENT_DAYS} days old, "
                    f"not {write_duration(move.after)}",
                    f"say `after: {INFREQUENT_DAYS}d`, or take `INTELLIGENT_TIERING` from the first day",
                )


@rule(
    "E332",
    "transitions out of order",
    """Objects move to ever colder classes, and stay in STANDARD_IA and ONEZONE_IA for 30 days before they
    move on.""",
    """
    spec:
      buckets:
        - name: data
          prefixes:
            - name: raw
              transitions: [{after: 30d, storageClass: GLACIER_IR}, {after: 90d, storageClass: STANDARD_IA}]
    """,
    """
    spec:
      buckets:
        - name: data
          prefixes:
            - name: raw
              transitions: [{after: 30d, storageClass: STANDARD_IA}, {after: 90d, storageClass: GLACIER_IR}]
    """,
)
def transitions_out_of_order(scene: Scene) -> Iterable[Finding]:
    """Each transition comes after the one before, goes to a colder class, and leaves 30 days in between."""
    for path, prefix in prefixes(scene):
        order = sorted(enumerate(prefix.transitions), key=lambda pair: (pair[1].after, pair[0]))
        for (before, warm), (index, cold) in pairwise(order):
            at = (*path, "transitions", index)
            also = (((*path, "transitions", before, "storageClass"), "moved here before"),)
            if CLASSES.index(cold.storage_class) <= CLASSES.index(warm.storage_class):
                colder = CLASSES[CLASSES.index(warm.storage_class) + 1 :]
                yield Finding(
                    (*at, "storageClass"),
                    f"objects in {warm.storage_class} cannot move to {cold.storage_class}",
                    f"from there they can move to {', '.join(colder)}" if colder else "nothing is colder",
                    also,
                )
            elif cold.after == warm.after or (
                warm.storage_class in INFREQUENT and cold.after < warm.after + INFREQUENT_DAYS * DAY
            ):
                least = warm.after + (INFREQUENT_DAYS if warm.storage_class in INFREQUENT else 1) * DAY
                yield Finding(
                    (*at, "after"),
                    f"{write_duration(cold.after)} is too soon after the move to {warm.storage_class} "
                    f"at {write_duration(warm.after)}",
                    f"say `{write_duration(least)}` or more",
                    also,
                )


@rule(
    "E333",
    "deleted before they move",
    "S3 refuses a rule that would move objects on or after the day it deletes them.",
    """
    spec:
      buckets:
        - name: data
          prefixes:
            - {name: raw, transitions: [{after: 90d, storageClass: GLACIER_IR}], expireAfter: 60d}
    """,
    """
    spec:
      buckets:
        - name: data
          prefixes:
            - {name: raw, transitions: [{after: 90d, storageClass: GLACIER_IR}], expireAfter: 365d}
    """,
)
def expiry_before_transition(scene: Scene) -> Iterable[Finding]:
    """Objects are deleted after their last move."""
    for path, prefix in prefixes(scene):
        last = max(prefix.transitions, key=lambda move: move.after, default=None)
        if last and prefix.expire_after is not None and prefix.expire_after <= last.after:
            index = prefix.transitions.index(last)
            yield Finding(
                (*path, "expireAfter"),
                f"objects of `{prefix.name}` are deleted at {write_duration(prefix.expire_after)}, "
                f"but move at {write_duration(last.after)}",
                "delete them later, or take the transition away",
                (((*path, "transitions", index, "after"), f"moves to {last.storage_class}"),),
            )


@rule(
    "W330",
    "models that expire",
    """Models lie in the prefix that their `store` names. What expires there is gone even if a service still
    needs it.""",
    "spec: {buckets: [{name: data, prefixes: [{name: models, expireAfter: 90d}]}]}",
    "spec: {buckets: [{name: data, prefixes: [{name: models}]}]}",
)
def models_that_expire(scene: Scene) -> Iterable[Finding]:
    """A model that is served does not expire by itself."""
    stores = {model.store for model in scene.site.spec.models}
    for path, prefix in prefixes(scene):
        if prefix.name in stores and prefix.expire_after is not None:
            yield Finding(
                (*path, "expireAfter"),
                f"models are deleted {write_duration(prefix.expire_after)} after they were published, "
                "even while they are served",
                "take `expireAfter` away, or publish more often than that",
            )


@rule(
    "W331",
    "paid for longer than kept",
    """Colder classes charge for a least time: STANDARD_IA and ONEZONE_IA for 30 days, GLACIER_IR and GLACIER
    for 90, DEEP_ARCHIVE for 180. Objects that go sooner are paid for all the same.""",
    """
    spec:
      buckets:
        - name: data
          prefixes:
            - {name: raw, transitions: [{after: 60d, storageClass: GLACIER_IR}], expireAfter: 90d}
    """,
    """
    spec:
      buckets:
        - name: data
          prefixes:
            - {name: raw, transitions: [{after: 60d, storageClass: GLACIER_IR}], expireAfter: 365d}
    """,
)
def paid_longer_than_kept(scene: Scene) -> Iterable[Finding]:
    """Colder classes charge for a least number of days, whether the object is still there or not."""
    for path, prefix in prefixes(scene):
        order = sorted(prefix.transitions, key=lambda move: move.after)
        ends = [move.after for move in order[1:]] + [prefix.expire_after or 0]
        for move, end in zip(order, ends, strict=False):
            paid = BILLED.get(move.storage_class, 0)
            if move.after < end < move.after + paid * DAY:
                yield Finding(
                    (*path, "transitions", prefix.transitions.index(move), "storageClass"),
                    f"{move.storage_class} is paid for {paid} days; objects stay "
                    f"{write_duration(end - move.after)}",
                    "keep them longer, or take a class that charges for fewer days",
                )


@rule(
    "E334",
    "archived objects that are to be read",
    """Objects in GLACIER and DEEP_ARCHIVE cannot be read until somebody restores them, which takes hours; a
    program that lists the prefix and reads what it finds fails at the first of them.""",
    """
    spec:
      buckets:
        - name: data
          prefixes: [{name: raw, transitions: [{after: 90d, storageClass: GLACIER}]}]
      jobs: [{name: trainer, reads: [raw]}]
    """,
    """
    spec:
      buckets:
        - name: data
          prefixes: [{name: raw, transitions: [{after: 90d, storageClass: GLACIER_IR}]}]
      jobs: [{name: trainer, reads: [raw]}]
    """,
)
def archives_that_are_read(scene: Scene) -> Iterable[Finding]:
    """Archived objects must be restored before anything can read them."""
    readers = _readers(scene)
    for path, prefix in prefixes(scene):
        for at, move in each((*path, "transitions"), prefix.transitions):
            if move.storage_class in ARCHIVES and prefix.name in readers:
                who, where = readers[prefix.name]
                yield Finding(
                    (*at, "storageClass"),
                    f"`{who}` reads `{prefix.name}`, but cannot read what is in {move.storage_class}",
                    "take `GLACIER_IR`, which is read like any other",
                    ((where, "read here"),),
                )


@rule(
    "W208",
    "archived objects that people are to read",
    """A role for people may get objects of the prefix, but S3 gives none out of GLACIER and DEEP_ARCHIVE before
    somebody has restored it for some days (`aws s3api restore-object`), for which the role has no right.""",
    """
    spec:
      buckets:
        - name: data
          prefixes: [{name: raw, transitions: [{after: 90d, storageClass: GLACIER}]}]
      people: {roles: [{name: auditor, principals: ["arn:aws:iam::123456789012:root"], reads: [raw]}]}
    """,
    """
    spec:
      buckets:
        - name: data
          prefixes: [{name: raw, transitions: [{after: 90d, storageClass: GLACIER_IR}]}]
      people: {roles: [{name: auditor, principals: ["arn:aws:iam::123456789012:root"], reads: [raw]}]}
    """,
)
def archives_that_people_read(scene: Scene) -> Iterable[Finding]:
    """Who is told by name to read a prefix cannot once its objects are archived (Amazon S3 user guide,
    "Working with archived objects").
    """
    archived = {
        prefix.name: (move.storage_class, (*at, "storageClass"))
        for path, prefix in prefixes(scene)
        for at, move in each((*path, "transitions"), prefix.transitions)
        if move.storage_class in ARCHIVES
    }
    for path, role in each(("spec", "people", "roles"), scene.site.spec.people.roles):
        for at, name in each((*path, "reads"), role.reads or ()):
            if name in archived:
                storage_class, where = archived[name]
                yield Finding(
                    at,
                    f"`{role.name}` cannot read what is in {storage_class} before somebody restores it",
                    "take `GLACIER_IR`, which is read like any other, or let an administrator restore what is "
                    "asked for",
                    ((where, "archived here"),),
                )


def _readers(scene: Scene) -> dict[str, tuple[str, SpecPath]]:
    """Somebody who reads each prefix: (name, place), the first in the order of the file."""
    stores = {model.name: model.store for model in scene.site.spec.models}
    found: dict[str, tuple[str, SpecPath]] = {}
    for path, workload in workloads(scene):
        for at, name in each((*path, "reads"), workload.reads):
            found.setdefault(name, (workload.name, at))
        for at, name in each((*path, "loads"), workload.loads):
            found.setdefault(stores.get(name, ""), (workload.name, at))
    return found
