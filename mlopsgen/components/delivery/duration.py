"""How long a delivery takes: the job of the workflow, and the session of its role."""

from __future__ import annotations

from mlopsgen.language.values import HOUR
from mlopsgen.model.site import Site

LONGEST_JOB = 6 * HOUR
"""On GitHub's own runners (GitHub Docs, "Actions limits", job execution time)."""

LONGEST_SESSION = 12 * HOUR
"""(IAM API reference, UpdateRole, MaxSessionDuration)."""

_STACKS = 3 * HOUR
"""For images and stacks: networks, instances, tasks that become healthy, and a rollback."""


def duration(site: Site) -> int:
    """Seconds that a delivery may take: its stacks, each traffic shift, and a first training."""
    delivery = site.spec.delivery
    trains = delivery is not None and delivery.first_model == "train"
    training = sum(each.timeout for each in site.spec.jobs if each.produces) if trains else 0
    shifts = sum(each.deployment.shift_seconds for each in site.spec.services)
    return _STACKS + shifts + training


def session(site: Site) -> int:
    """Seconds for which the workflow assumes its role: as long as the job may run, which cannot ask twice."""
    return min(duration(site), LONGEST_JOB, LONGEST_SESSION)
