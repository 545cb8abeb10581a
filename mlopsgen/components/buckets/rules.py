"""What S3 takes as a lifecycle, and for how many days CloudWatch keeps logs.

Amazon S3 user guide, "Transitioning objects using Amazon S3 Lifecycle"; Amazon CloudWatch Logs API reference,
PutRetentionPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from mlopsgen.checks.references import workloads
from mlopsgen.checks.rule import Finding, Scene, rule
from mlopsgen.source.node import Path
from mlopsgen.spec.quantities import write_duration
from mlopsgen.spec.storage import PrefixSpec

DAY = 86400
RETENTION = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
CLASSES = (
    "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE",
)  # fmt: skip
"""Objects go down this list and never up."""
INFREQUENT = ("STANDARD_IA", "ONEZONE_IA")
INFREQUENT_DAYS = 30
BILLED = {"STANDARD_IA": 30, "ONEZONE_IA": 30, "GLACIER_IR": 90, "GLACIER": 90, "DEEP_ARCHIVE": 180}
"""Days that an object is paid for, however soon it is deleted."""
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def _prefixes(scene: Scene) -> Iterator[tuple[Path, PrefixSpec]]:
    for index, each in enumerate(scene.site.spec.storage.prefixes):
        yield ("spec", "storage", "prefixes", index), each


@rule("E330")
def whole_days(scene: Scene) -> Iterable[Finding]:
    """S3 counts in whole days, from one on; only a transition may come at once."""
    spec = scene.site.spec.storage
    found: list[tuple[Path, int, int]] = [
        (("spec", "storage", "noncurrentExpireAfter"), spec.noncurrent_expire_after, 1),
        (("spec", "storage", "abortUploadsAfter"), spec.abort_uploads_after, 1),
    ]
    if spec.access_logs:
        found.append((("spec", "storage", "accessLogs", "expireAfter"), spec.access_logs.expire_after, 1))
    for path, prefix in _prefixes(scene):
        if prefix.expire_after is not None:
            found.append(((*path, "expireAfter"), prefix.expire_after, 1))
        for index, each in enumerate(prefix.transitions):
            found.append(((*path, "transitions", index, "after"), each.after, 0))
    for path, seconds, least in found:
        if seconds % DAY or seconds < least * DAY:
            nearest = max(least, round(seconds / DAY))
            yield Finding(path, f"{write_duration(seconds)} is no whole number of days", f"say `{nearest}d`")


@rule("E331")
def infrequent_too_soon(scene: Scene) -> Iterable[Finding]:
    """Classes for infrequent access take objects of 30 days and more."""
    for path, prefix in _prefixes(scene):
        for index, each in enumerate(prefix.transitions):
            if each.storage_class in INFREQUENT and each.after < INFREQUENT_DAYS * DAY:
                yield Finding(
                    (*path, "transitions", index, "after"),
                    f"{each.storage_class} takes objects that are {INFREQUENT_DAYS} days old, "
                    f"not {write_duration(each.after)}",
                    f"say `after: {INFREQUENT_DAYS}d`, or take `INTELLIGENT_TIERING` from the first day",
                )


@rule("E332")
def transitions_out_of_order(scene: Scene) -> Iterable[Finding]:
    """Each transition comes after the one before, goes to a colder class, and leaves 30 days in between."""
    for path, prefix in _prefixes(scene):
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


@rule("E333")
def expiry_before_transition(scene: Scene) -> Iterable[Finding]:
    """Objects are deleted after their last move."""
    for path, prefix in _prefixes(scene):
        last = max(prefix.transitions, key=lambda each: each.after, default=None)
        if last and prefix.expire_after is not None and prefix.expire_after <= last.after:
            index = prefix.transitions.index(last)
            yield Finding(
                (*path, "expireAfter"),
                f"objects of {prefix.name}/ are deleted at {write_duration(prefix.expire_after)}, "
                f"but move at {write_duration(last.after)}",
                "delete them later, or take the transition away",
                (((*path, "transitions", index, "after"), f"moves to {last.storage_class}"),),
            )


@rule("W330")
def models_that_expire(scene: Scene) -> Iterable[Finding]:
    """A model that is served does not expire by itself."""
    for path, prefix in _prefixes(scene):
        if prefix.name == "models" and prefix.expire_after is not None:
            yield Finding(
                (*path, "expireAfter"),
                f"models are deleted {write_duration(prefix.expire_after)} after they were published, "
                "even while they are served",
                "take `expireAfter` away, or publish more often than that",
            )


@rule("W331")
def paid_longer_than_kept(scene: Scene) -> Iterable[Finding]:
    """Colder classes charge for a least number of days, whether the object is still there or not."""
    for path, prefix in _prefixes(scene):
        order = sorted(prefix.transitions, key=lambda each: each.after)
        ends = [each.after for each in order[1:]] + [prefix.expire_after or 0]
        for each, end in zip(order, ends, strict=False):
            paid = BILLED.get(each.storage_class, 0)
            if each.after < end < each.after + paid * DAY:
                yield Finding(
                    (*path, "transitions", prefix.transitions.index(each), "storageClass"),
                    f"{each.storage_class} is paid for {paid} days; objects stay "
                    f"{write_duration(end - each.after)}",
                    "keep them longer, or take a class that charges for fewer days",
                )


@rule("W332")
def archives_that_are_read(scene: Scene) -> Iterable[Finding]:
    """Archived objects must be restored before anything can read them."""
    readers: dict[str, list[str]] = {}
    for _, workload in workloads(scene):
        for name in workload.reads:
            readers.setdefault(name, []).append(workload.name)
    for path, prefix in _prefixes(scene):
        for index, each in enumerate(prefix.transitions):
            if each.storage_class in ARCHIVES and prefix.name in readers:
                reader = sorted(readers[prefix.name])[0]
                yield Finding(
                    (*path, "transitions", index, "storageClass"),
                    f"`{reader}` reads {prefix.name}/, but cannot read what is in {each.storage_class}",
                    "take `GLACIER_IR`, which is read like any other, or have the program pass over "
                    "objects that are archived",
                )


@rule("E325")
def log_retention(scene: Scene) -> Iterable[Finding]:
    """CloudWatch Logs keeps logs for certain numbers of days."""
    spec = scene.site.spec
    found: list[tuple[Path, int]] = [(("spec", "monitoring", "logRetention"), spec.monitoring.log_retention)]
    if spec.network.vpc and spec.network.vpc.flow_logs:
        at = ("spec", "network", "vpc", "flowLogs", "retention")
        found.append((at, spec.network.vpc.flow_logs.retention))
    for path, seconds in found:
        if seconds % DAY or seconds // DAY not in RETENTION:
            nearest = min(RETENTION, key=lambda each: (abs(each * DAY - seconds), each))
            yield Finding(
                path,
                f"CloudWatch Logs cannot keep logs for {write_duration(seconds)}",
                f"the nearest is `{nearest}d`",
            )
