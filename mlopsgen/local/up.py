"""The whole pipeline on this machine, in the order in which it comes to life on AWS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from mlopsgen.artifacts import Artifact
from mlopsgen.diagnostics.diagnostic import Rejected
from mlopsgen.local.account import Account, Stop
from mlopsgen.local.balancer import ReverseProxy
from mlopsgen.local.blueprint import Blueprint, LocalTask, Unknown
from mlopsgen.local.changes import unfollowed
from mlopsgen.local.control import Control, ControlDocument
from mlopsgen.local.logs import Logs
from mlopsgen.local.predict import Example, NotYet, Unpredictable, examples, predict
from mlopsgen.local.process import run
from mlopsgen.local.requirements import differences
from mlopsgen.local.service import Failed, Tasks
from mlopsgen.local.show import Show, Tell
from mlopsgen.local.state import Run, RunFolder, sweep
from mlopsgen.local.tasks import Launcher, Unprepared, by_hand, tail, words
from mlopsgen.local.training import Training
from mlopsgen.promotion import Gates, NotPromoted

PORT = 8080

NEEDED = 512 * 1024 * 1024
"""Bytes that have to be free: a model or two, logs, and the tasks' own files."""

FIRST_ANSWER = 60
"""Seconds that a service may take from its first good check to its first answer."""

SHOWN = 3
"""How many things of a kind are listed."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    port: int | None = None
    """Where the load balancer listens; None for 8080, or any free port if that is taken."""
    data: Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    gates: Gates = field(default_factory=dict)
    once: bool = False
    """End after the first predictions."""
    detached: bool = False
    """Nobody sits at a terminal."""
    serve: bool = True
    """Whether services are wanted; without them it ends when all jobs have."""
    only: str | None = None
    """The one job that is wanted; None for all that produce a model."""
    trigger: str = ""
    """What starts that job."""


class Local:
    """One run."""

    def __init__(
        self,
        blueprint: Blueprint,
        artifacts: tuple[Artifact, ...],
        folder: RunFolder,
        mark: Run,
        options: Options,
        launcher: Launcher,
        show: Show,
        compile_again: Callable[[], Blueprint],
    ) -> None:
        """`compile_again` gives the blueprint of the pipeline as it is then."""
        self.blueprint = blueprint
        self._compile_again = compile_again
        self._artifacts = artifacts
        self._folder = folder
        self._run = mark
        self._options = options
        self._launcher = launcher
        self._show = show
        self._stopped = asyncio.Event()
        self._fault: str | None = None
        self._logs = Logs(folder.logs, self._disk)
        self._account = Account(blueprint, folder, self._logs, mark.run, options.parameters, options.gates)
        self._training = Training(self._account, launcher, self._logs, folder, show)
        self._services: dict[str, Tasks] = {}
        self._balancers: dict[str, ReverseProxy] = {}
        self.ready = False
        self._since = time.time()
        self._access = self._logs.open("load-balancer", "access", None)
        self._control = Control(
            mark.token,
            self._account.task_token,
            {
                "environment": self._environment_action,
                "restart": self._restart_action,
                "run": self._run_action,
                "status": self._status,
                "stop": self._stop_action,
            },
            self._account.credentials,
        )

    # The run as a whole

    async def run(self) -> None:
        """Bring everything up, then wait until somebody says stop. Raises `Stop`."""
        self._write()
        self._enough_room()
        background: set[asyncio.Task[None]] = set()
        try:
            port = await self._control.server.open(0)
            self._run = replace(self._run, control=port, environment=self.blueprint.environment)
            self._folder.note(self._run)
            if self._options.serve:
                await self._open_front()
            background.add(asyncio.create_task(self._logs.ship()))
            await self._until_stopped(self._bring_up())
            if not self._stopped.is_set() and self._options.serve and not self._options.once:
                background.add(asyncio.create_task(self._keep_account()))
                await self._stop_or_bug(background)
        finally:
            for each in background:
                each.cancel()
            await self._take_down()
        if self._fault:
            raise Stop(self._fault)

    def stop(self) -> None:
        """End the run, in good order."""
        self._show.say("stopping; Ctrl-C once more ends it at once")
        self._stopped.set()

    def kill(self) -> None:
        """End all that runs, at once."""
        sweep(self._run.run, self._run.engine)

    async def _stop_or_bug(self, background: set[asyncio.Task[None]]) -> None:
        """Wait for a stop. Whatever ends in the background before is a bug, and is not hidden."""
        stopping = asyncio.create_task(self._stopped.wait())
        done, _ = await asyncio.wait({stopping, *background}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for each in done - {stopping}:
            each.result()

    async def _until_stopped(self, work: Any) -> None:
        """Do `work`, or as much of it as there is time for before somebody says stop."""
        doing = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not doing.done():
                doing.cancel()
                await asyncio.wait((doing,))
        if not doing.cancelled():
            doing.result()

    async def _bring_up(self) -> None:
        blueprint, show = self.blueprint, self._show
        show.say("what this machine has not, or has otherwise:")
        for each in blueprint.absent:
            show.note(each)
        if not self._launcher.isolates:
            for each in differences(blueprint.tasks, blueprint.folder):
                show.note(each)
        await self._build()
        with show.step("starting the embedded AWS", keep=True) as tell:
            await self._account.open(f"http://127.0.0.1:{self._control.server.port}/credentials")
            tell(f"{self._account.aws.endpoint}, region {blueprint.region}")
        with show.step(f"deploying {blueprint.environment}: all that needs no model") as tell:
            await self._account.deploy(tell, first=True)
        self._account.ship_logs()
        if self._options.data:
            with show.step(f"uploading {self._options.data} to raw/", keep=True) as tell:
                count = await self._account.upload(self._options.data)
                tell(f"{count} file{'s' * (count != 1)}")
        for job in self._jobs(self._options.only):
            await self._training.run(job, {}, self._options.trigger)
        if not self._options.serve:
            return
        if blueprint.after_model:
            with show.step(f"deploying {blueprint.environment}: what comes after the first model") as tell:
                await self._account.deploy(tell, first=False)
        await self._list()
        await self._start_services()
        await self._first_predictions()
        self._where()
        self._became_ready()

    def _jobs(self, only: str | None) -> tuple[LocalTask, ...]:
        """The jobs to run: one, or all that produce a model. Raises `Stop`."""
        if only is None:
            return self.blueprint.trainers
        try:
            return (self.blueprint.job(only),)
        except Unknown as error:
            raise Stop(str(error)) from None

    async def _start_services(self) -> None:
        for service in self._services.values():
            count, kind = service.service.replicas, service.service.task.kind
            task = service.service.task
            if missing := self._launcher.lacks(task) or await self._missing_version(task):
                self._show.say(f"{kind} {service.name} is left out: it {missing}")
                continue
            if not count:
                self._show.say(f"{kind} {service.name} is parked: `replicas.min` is 0")
                continue
            with self._show.step(f"starting {count} task{'s' * (count != 1)} of {service.name}"):
                try:
                    await service.deploy()
                except Failed as error:
                    raise Stop(str(error)) from None

    async def _missing_version(self, task: LocalTask) -> str | None:
        """Why the task cannot start: it loads a version that nobody has trained here."""
        for model, version in task.loads.items():
            store = self._account.cloud.store(self._account.loaded_from(task, model))
            if version == "current":
                if await self._account.ask(store.current) is None:
                    return f"loads `{model}`, of which there is no version here: no job produces it"
            elif version not in await self._account.ask(store.versions):
                return (
                    f"loads `{model}` at {version}, which does not exist here; in an environment whose "
                    f"models have `{{name: {model}, version: current}}` it loads what was trained here"
                )
        return None

    def _became_ready(self) -> None:
        self.ready = self._account.serving = True
        self._run = replace(self._run, ready=True)
        self._folder.note(self._run)

    async def _take_down(self) -> None:
        # What serves goes first, what it needs last.
        await asyncio.gather(*(each.stop() for each in self._services.values()))
        for balancer in self._balancers.values():
            await balancer.close()
        await self._account.close(flush=not self._fault)
        await self._control.server.close()
        self._logs.close()

    async def _keep_account(self) -> None:
        """Services answer meanwhile."""
        try:
            await self._account.keep(self._stopped, self._show.say)
        except Stop as error:
            self._fault = str(error)
            self._stopped.set()

    def _write(self) -> None:
        for artifact in self._artifacts:
            path = self._folder.built / artifact.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(artifact.content)

    def _enough_room(self) -> None:
        free = shutil.disk_usage(self._folder.root).free
        if free < NEEDED:
            raise Stop(
                f"only {free // 2**20} MB are free in {self._folder.root}, "
                f"and a run needs {NEEDED // 2**20} MB: make room, then start again"
            )

    def _disk(self, error: OSError) -> None:
        """A log cannot be written: go no further, for what is not written down cannot be found out."""
        if self._fault is None:
            why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
            self._fault = f"cannot write logs to {self._folder.logs}: {why}. Make room, then start again."
            self._stopped.set()

    async def _build(self) -> None:
        done = set()
        tasks = [*self._jobs(self._options.only)]
        # What serves stays: any other job may be asked for later.
        tasks += self.blueprint.tasks if self._options.serve else ()
        for task in tasks:
            for what, command in self._launcher.builds(task, self._folder.built):
                if task.image in done:
                    continue
                done.add(task.image)
                with self._show.step(what) as tell:
                    log = self._logs.open("build", task.image or task.name, None, hear=tell)
                    code = await run(command, log)
                    if code:
                        raise Stop(f"{what} {words(code)}{tail(log.last)}\n  the whole log: {log.path}")

    # Serving

    async def _open_front(self) -> None:
        for each in self.blueprint.services:
            self._services[each.task.name] = Tasks(
                each, self._launcher, self._logs, lambda: self._account.context, self._show.say
            )
        groups = {name: group for each in self._services.values() for name, group in each.groups.items()}
        for name in self.blueprint.balancers:
            rules = [rule for rule in self.blueprint.rules if rule.balancer == name]
            idle = self.blueprint.idle_timeouts[name]
            balancer = ReverseProxy(rules, groups, self._access, idle)
            await self._listen(balancer, main=name == self.blueprint.balancers[0])
            self._balancers[name] = balancer

    async def _listen(self, balancer: ReverseProxy, *, main: bool) -> None:
        wanted = self._options.port if self._options.port is not None else PORT
        try:
            await balancer.open(wanted if main else 0)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            if self._options.port is not None:
                why = "is taken" if error.errno == errno.EADDRINUSE else "is not for everybody"
                raise Stop(f"port {wanted} {why}: choose another with --port, or any with --port 0") from None
            await balancer.open(0)
            self._show.say(f"port {PORT} is taken; the load balancer listens on {balancer.port}")

    async def _list(self) -> None:
        """What the deployment made, as each service's own API reports it."""
        self._show.say("what now exists, as AWS's own APIs report it:")
        for each in await self._account.inventory():
            names = each.names[:SHOWN]
            more = f", and {len(each.names) - SHOWN} more" if len(each.names) > SHOWN else ""
            self._show.note(f"{each.call}: {', '.join(names)}{more}")

    async def _first_predictions(self) -> None:
        for name in list(self._balancers)[:1]:
            url = self._url(name)
            direct = [
                f"http://127.0.0.1:{task.started.port}"
                for each in self._services.values()
                for task in each.running
                if task.started.port
            ]
            try:
                path, found = await asyncio.to_thread(examples, [url, *direct])
                for example in found:
                    answer = await self._first_answer(url, example, path)
                    self._show.say(f"  {example.text}\n    → {answer}")
            except Unpredictable as error:
                self._show.say(f"  {error}")

    async def _first_answer(self, url: str, example: Example, path: str) -> str:
        """A service may have to load its model yet, and says so with 503."""
        for _ in range(FIRST_ANSWER):
            with contextlib.suppress(NotYet):
                return await asyncio.to_thread(predict, url, example, path)
            await asyncio.sleep(1)
        return await asyncio.to_thread(predict, url, example, path)

    def _url(self, balancer: str) -> str:
        return f"http://127.0.0.1:{self._balancers[balancer].port}"

    def _where(self) -> None:
        self._show.say()
        served = {group for each in self._services.values() if each.running for group in each.groups}
        for rule in self.blueprint.rules:
            for path in (rule.paths[:1] or ("/",)) if rule.group in served else ():
                host = f" (Host: {rule.hosts[0]})" if rule.hosts else ""
                balancer = f" ({rule.balancer})" if len(self._balancers) > 1 else ""
                self._show.link("service", f"{self._url(rule.balancer)}{path.rstrip('*')}{host}{balancer}")
        endpoint = self._account.aws.endpoint
        self._show.link("AWS", f'{endpoint} (eval "$(mlopsgen local env)"; aws s3 ls)')
        self._show.link("metrics", "mlopsgen local status")
        self._show.link("logs", f"mlopsgen local logs --follow, or {self._folder.logs}")
        self._show.link("more", "mlopsgen local predict, train, restart, env, down")
        if not self._options.once:
            self._show.say(
                f"{'`mlopsgen local down`' if self._options.detached else 'Ctrl-C'} stops all of it."
            )

    # What other commands ask

    async def _status(self, _: ControlDocument) -> AsyncIterator[ControlDocument]:
        services = []
        for name, each in self._services.items():
            tasks = [
                {
                    "id": task.started.id,
                    "state": task.state,
                    "reason": task.reason,
                    "port": task.started.port,
                    "pid": task.process.pid,
                    "since": task.since,
                }
                for task in each.running
            ]
            kind, wanted = each.service.task.kind, each.service.replicas
            services.append({"name": name, "kind": kind, "wanted": wanted, "tasks": tasks})
        models, metrics = [], []
        account = self._account
        if self.ready:
            for job in self.blueprint.trainers:
                uri = account.published_at(job)
                if uri:
                    store = account.cloud.store(uri)
                    with contextlib.suppress(Stop, NotPromoted):
                        current = await account.ask(store.current)
                        versions = await account.ask(store.versions)
                        models.append(
                            {
                                "name": job.produces,
                                "current": current,
                                "versions": versions,
                                "metrics": {
                                    each: dict((await account.ask(partial(store.version, each))).metrics)
                                    for each in versions
                                },
                            }
                        )
            with contextlib.suppress(Stop):
                namespace = self.blueprint.namespace
                metrics = await account.ask(lambda: sorted({n for n, _ in account.cloud.metrics(namespace)}))
        yield {
            "environment": self.blueprint.environment,
            "ready": self.ready,
            "since": self._since,
            "aws": account.aws.endpoint if account.is_open else None,
            "urls": {name: self._url(name) for name in self._balancers},
            "services": services,
            "models": models,
            "metrics": metrics,
            "logs": str(self._folder.logs),
        }

    async def _stop_action(self, _: ControlDocument) -> AsyncIterator[ControlDocument]:
        yield {"stopping": True}
        self._stopped.set()

    async def _environment_action(self, asked: ControlDocument) -> AsyncIterator[ControlDocument]:
        """The variables of a workload with what it runs and where, or those of a client of AWS."""
        if not self._account.is_open:
            yield {"fault": "the embedded AWS is still starting: try once more in a moment"}
            return
        if (name := asked.get("name")) is None:
            yield {"variables": self._account.aws.variables}
            return
        known = {each.name: each for each in self.blueprint.tasks}
        if name not in known:
            yield {"fault": f"there is no workload `{name}`; there are: {', '.join(known)}"}
            return
        try:
            yield by_hand(known[name], self._account.context)
        except Unprepared as error:
            yield {"fault": str(error)}

    async def _restart_action(self, asked: ControlDocument) -> AsyncIterator[ControlDocument]:
        """Replace the tasks of one service or worker, or of all that run."""

        async def work(tell: Tell) -> None:
            wanted = asked.get("name")
            known = [name for name, each in self._services.items() if each.running]
            if wanted is not None and wanted not in known:
                raise Stop(f"there is no service or worker `{wanted}` that runs; there are: {_listed(known)}")
            if not known:
                raise Stop("no service and no worker runs")
            for name in known if wanted is None else (wanted,):
                tell(f"replacing the tasks of {name}, one after the other")
                await asyncio.shield(self._services[name].deploy())
                tell(f"{name} is restarted")

        async for each in self._do(work):
            yield each

    async def _run_action(self, asked: ControlDocument) -> AsyncIterator[ControlDocument]:
        """Run jobs again, and let follow what loads the models."""
        async for each in self._do(partial(self._run_jobs, asked)):
            yield each

    async def _do(self, what: Callable[[Tell], Any]) -> AsyncIterator[ControlDocument]:
        """Do `what` while the run goes on; each line that it tells, then `done` or a `fault`."""
        if not self.ready:
            yield {"fault": "the run is still starting"}
            return
        said: asyncio.Queue[ControlDocument | None] = asyncio.Queue()

        async def work() -> None:
            try:
                await what(lambda line: said.put_nowait({"line": line}))
                said.put_nowait({"done": True})
            except Stop as error:
                said.put_nowait({"fault": str(error)})
            except Failed as error:
                said.put_nowait({"fault": f"{error}\n  the old tasks serve on"})
            finally:
                said.put_nowait(None)

        working = asyncio.create_task(self._until_stopped(work()))
        try:
            while (each := await said.get()) is not None:
                yield each
        finally:
            working.cancel()
            await asyncio.wait((working,))

    async def _run_jobs(self, asked: ControlDocument, tell: Tell) -> None:
        today = await self._today(tell)
        trigger = asked.get("trigger") or ""
        try:
            if trigger:
                job, trigger = today.triggered(trigger)
                jobs: tuple[LocalTask, ...] = (job,)
            else:
                jobs = today.trainers if asked.get("job") is None else (today.job(asked["job"]),)
        except Unknown as error:
            raise Stop(str(error)) from None
        if not jobs:
            raise Stop(nothing_to_train(today))
        if strange := [
            each.name for each in jobs if each.name not in {job.name for job in self.blueprint.jobs}
        ]:
            raise Stop(
                f"job {_listed(strange)} is new since the run was started, and is not deployed: "
                "`mlopsgen local down`, then `mlopsgen local up`"
            )
        if asked.get("data"):
            data = Path(asked["data"])
            tell(f"uploading {data} to raw/")
            await self._account.upload(data)
        for job in jobs:
            version = await self._training.run(job, asked.get("parameters") or {}, trigger, tell)
            if version is None:
                tell(f"{job.name} has ended")
            for service in self._services.values():
                if service.service.task.loads.get(job.produces or "") == "current" and service.running:
                    tell(f"replacing the tasks of {service.name}, one after the other")
                    # Whoever asked may leave: what has begun is brought to its end.
                    await asyncio.shield(service.deploy())
                    tell(f"{service.name} serves {version}")

    async def _today(self, tell: Tell) -> Blueprint:
        """The pipeline as it is now, for its jobs; what else has changed is told. Raises `Stop`."""
        try:
            today = await asyncio.to_thread(self._compile_again)
        except Rejected:
            raise Stop("the pipeline is no longer in order: `mlopsgen validate` says what is wrong") from None
        except Unknown as error:
            raise Stop(str(error)) from None
        if other := unfollowed(self.blueprint.declared, today.declared):
            tell("changed since the run was started, and not followed before `mlopsgen local down` and `up`:")
            for each in other[:SHOWN]:
                tell(f"  {each}")
            if len(other) > SHOWN:
                tell(f"  and {len(other) - SHOWN} more")
        return today


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def nothing_to_train(blueprint: Blueprint) -> str:
    """What to say where no job is named and none produces a model."""
    names = ", ".join(each.name for each in blueprint.jobs)
    return f"no job produces a model: name one of {names}" if names else "the pipeline has no job"
