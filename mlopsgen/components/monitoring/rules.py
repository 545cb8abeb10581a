"""For how long CloudWatch keeps logs, and who hears of alarms.

Amazon CloudWatch Logs API reference, PutRetentionPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.values import DAY, write_duration
from mlopsgen.rules.places import each
from mlopsgen.rules.registry import Scene, rule

RETENTION = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""Days."""


@rule(
    "E325",
    "a retention that CloudWatch Logs does not offer",
    "CloudWatch Logs keeps logs for one of twenty-two numbers of days, from 1 to 3653.",
    "spec: {monitoring: {logs: {retention: 45d}}}",
    "spec: {monitoring: {logs: {retention: 60d}}}",
)
def log_retention(scene: Scene) -> Iterable[Finding]:
    """CloudWatch Logs keeps logs for certain numbers of days."""
    spec = scene.site.spec
    found: list[tuple[SpecPath, int]] = [
        (("spec", "monitoring", "logs", "retention"), spec.monitoring.logs.retention)
    ]
    if spec.network.vpc:
        at = ("spec", "network", "vpc", "flowLogs", "retention")
        found.append((at, spec.network.vpc.flow_logs.retention))
    for path, seconds in found:
        if seconds % DAY or seconds // DAY not in RETENTION:
            nearest = min(RETENTION, key=lambda days: (abs(days * DAY - seconds), days))
            message = f"CloudWatch Logs cannot keep logs for {write_duration(seconds)}"
            yield Finding(path, message, f"the nearest is `{nearest}d`")


@rule(
    "E229",
    "one receiver under two names",
    """A topic has one subscription for an address: SNS gives the second the first one's, and taking one away
    would take away both.""",
    """
    spec:
      monitoring: {notify: [{name: ops, email: ops@example.com}, {name: night, email: ops@example.com}]}
    """,
    """
    spec:
      monitoring: {notify: [{name: ops, email: ops@example.com}, {name: night, email: night@example.com}]}
    """,
)
def receiver_twice(scene: Scene) -> Iterable[Finding]:
    """Each address is told once."""
    seen: dict[str, SpecPath] = {}
    for path, receiver in each(("spec", "monitoring", "notify"), scene.site.spec.monitoring.notify):
        if receiver.email is None:
            continue
        first = seen.setdefault(receiver.email.lower(), path)
        if first != path:
            message = f"`{receiver.email}` is told already"
            also = (((*first, "email"), "told here"),)
            yield Finding((*path, "email"), message, "name each address once", also)
