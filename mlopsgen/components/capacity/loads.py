"""What runs at once on a pool: always, by the clock, while a version is replaced, and at most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlopsgen.aws.instance_types import InstanceType, find
from mlopsgen.components.capacity.room import Tasks, demand, hold
from mlopsgen.components.capacity.spec import Ec2Spec, PoolSpec
from mlopsgen.components.workloads.spec import ReplicasSpec
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.model.workload import JOB, Workload


class UsedPool(NamedTuple):
    """A pool of instances with its path, and the workloads that run on it with theirs."""

    path: SpecPath
    pool: PoolSpec
    ec2: Ec2Spec
    users: tuple[tuple[SpecPath, Workload], ...]

    @property
    def kinds(self) -> tuple[InstanceType, ...]:
        """Its types, as far as they are known, the preferred one first."""
        return tuple(kind for name in self.ec2.instance_types if (kind := find(name)))

    @property
    def all_known(self) -> bool:
        """Whether all its types are known."""
        return len(self.kinds) == len(self.ec2.instance_types)

    @property
    def replicated(self) -> Iterator[tuple[SpecPath, Workload, ReplicasSpec]]:
        """Its services and workers, with how many tasks each has."""
        for path, user in self.users:
            if user.replicas is not None:
                yield path, user, user.replicas

    def holds(self, tasks: Tasks) -> bool:
        """Whether instances of any of its types hold all the tasks."""
        return any(hold(kind, self.ec2.max, tasks) for kind in self.kinds)


class Load(NamedTuple):
    """Tasks that run at once, and how to say so."""

    tasks: Tasks
    path: SpecPath
    """What asks for them."""
    words: str


def always(used: UsedPool) -> Load | None:
    """The tasks that always run."""
    found = [(path, user, replicas) for path, user, replicas in used.replicated if replicas.min]
    if not found:
        return None
    tasks = _running(used)
    words = listed([_tasks(replicas.min, user) for _, user, replicas in found])
    path = (*found[0][0], "replicas", "min") if len(found) == 1 else (*used.path, "max")
    return Load(tasks, path, f"{words} always run{'s' * (tasks.total() == 1)}")


def scheduled(used: UsedPool) -> Iterator[Load]:
    """What the clock asks of one service, beside what always runs of the others."""
    for path, user, replicas in used.replicated:
        for index, schedule in enumerate(replicas.schedules):
            if schedule.min is not None and schedule.min > replicas.min:
                tasks = _running(used) + Tasks({demand(user.spec): schedule.min - replicas.min})
                at = (*path, "replicas", "schedules", index, "min")
                yield Load(tasks, at, f"{_tasks(schedule.min, user)}{_beside(used, user)} then run")


def surging(used: UsedPool) -> Iterator[Load]:
    """One task more of each service that starts a new one before an old one stops."""
    for path, user, replicas in used.replicated:
        if replicas.min and not user.shifts and user.room[1] > 100:
            tasks = _running(used)
            words = f"{_tasks(replicas.min, user)}{_beside(used, user)}"
            yield Load(
                tasks + Tasks({demand(user.spec): 1}),
                (*path, "replicas", "min"),
                f"{words} always run{'s' * (tasks.total() == 1)}, and one more starts with a new version",
            )


def shifting(used: UsedPool) -> Iterator[Load]:
    """All tasks once more of each service whose new version starts beside the old one."""
    for path, user, replicas in used.replicated:
        if replicas.min and user.shifts:
            yield Load(
                _running(used) + Tasks({demand(user.spec): replicas.min}),
                (*path, "deployment", user.strategy),
                f"`{user.strategy}` starts {_tasks(replicas.min, user)} beside the old ones",
            )


def fullest(used: UsedPool) -> Load | None:
    """As many tasks as scaling allows, those of the largest new version, and one run of the largest job."""
    found = [(path, user, _most(replicas)) for path, user, replicas in used.replicated if _most(replicas)]
    if not found:
        return None
    tasks = _sum(Tasks({demand(user.spec): count}) for _, user, count in found)
    words = [_up_to(count, user) for _, user, count in found]
    news = [
        (demand(user.spec), count if user.shifts else 1)
        for _, user, count in found
        if user.shifts or user.room[1] > 100
    ]
    if news:
        size, count = max(news)
        tasks[size] += count
        words.append("one more with a new version" if count == 1 else "as many with a new version")
    runs = [(demand(user.spec), user.name) for _, user in used.users if user.kind is JOB]
    if runs:
        size, name = max(runs)
        tasks[size] += 1
        words.append(f"a run of `{name}`")
    path = (*found[0][0], "replicas", "max") if len(used.users) == 1 else (*used.path, "max")
    return Load(tasks, path, f"{listed(words)} can run at once")


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _running(used: UsedPool) -> Tasks:
    return _sum(Tasks({demand(user.spec): replicas.min}) for _, user, replicas in used.replicated)


def _sum(parts: Iterator[Tasks]) -> Tasks:
    total = Tasks()
    for part in parts:
        total += part
    return total


def _most(replicas: ReplicasSpec) -> int:
    """The most tasks that scaling or a schedule can ask for."""
    asked = [replicas.max, *(bound for each in replicas.schedules for bound in (each.min, each.max))]
    return max(replicas.min, *(each for each in asked if each is not None), 0)


def _tasks(number: int, user: Workload) -> str:
    return f"{number} task{'s' * (number != 1)} of `{user.name}`"


def _up_to(most: int, user: Workload) -> str:
    fewest = user.replicas.min if user.replicas else 0
    return f"{'up to ' * (most > fewest)}{_tasks(most, user)}"


def _beside(used: UsedPool, user: Workload) -> str:
    others = [
        _tasks(replicas.min, other)
        for _, other, replicas in used.replicated
        if other is not user and replicas.min
    ]
    return f" beside {listed(others)}" if others else ""
