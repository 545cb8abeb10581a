"""How far a role for people reaches: what its preset gives, and what the file says instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mlopsgen.components.jobs.runs import job_spec
from mlopsgen.components.people.spec import RoleSpec
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload

ALL = ("*",)
"""Every one there is, now and later: one pattern, however many there are."""


class Reach(NamedTuple):
    """What one role is about, with nothing left open."""

    reads: tuple[str, ...] = ()
    """Prefixes."""
    writes: tuple[str, ...] = ()
    """Prefixes."""
    pushes: tuple[str, ...] = ()
    """Images, or `ALL`."""
    deploys: tuple[str, ...] = ()
    """Services and workers, or `ALL`."""
    runs: tuple[str, ...] = ()
    """Jobs."""
    promotes: tuple[str, ...] = ()
    """Models."""
    sees_services: tuple[str, ...] = ()
    """Services and workers whose tasks, logs and metrics it sees, or `ALL`."""
    sees_jobs: tuple[str, ...] = ()
    """Jobs whose runs, logs and metrics it sees, or `ALL`."""


def reach(site: Site, role: RoleSpec) -> Reach:
    """What `role` names, or its preset gives.

    It sees what it deploys and runs. One with a preset sees all services where it says nothing of `deploys`,
    and all jobs where it says nothing of `runs`.
    """
    usual = _preset(site, role)
    return Reach(
        reads=_or(role.reads, usual.reads),
        writes=_or(role.writes, usual.writes),
        pushes=_or(role.pushes, usual.pushes),
        deploys=_or(role.deploys, usual.deploys),
        runs=_or(role.runs, usual.runs),
        promotes=_or(role.promotes, usual.promotes),
        sees_services=_or(role.deploys, ALL if role.preset and long_running(site) else ()),
        sees_jobs=_or(role.runs, ALL if role.preset and site.jobs else ()),
    )


def long_running(site: Site) -> tuple[Workload, ...]:
    """What `deploys` may name: services and workers."""
    return (*site.services, *site.workers)


def _preset(site: Site, role: RoleSpec) -> Reach:
    prefixes = tuple(sorted(site.prefixes))
    match role.preset:
        case "developer":
            logs = tuple(name for name in prefixes if name == "logs")
            return Reach(
                reads=logs,
                pushes=ALL if any(each.image for each in site.workloads) else (),
                deploys=ALL if long_running(site) else (),
            )
        case "analyst":
            return Reach(reads=prefixes)
        case "modelTrainer":
            return Reach(
                reads=prefixes,
                runs=tuple(each.name for each in site.jobs if job_spec(each).produces),
                promotes=tuple(each.name for each in site.models),
            )
        case None:
            return Reach()


def _or(given: Iterable[str] | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if given is None else tuple(sorted(set(given)))
