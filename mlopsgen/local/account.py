"""The account of a run: the embedded AWS's process, what is deployed to it, and what lies in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mlopsgen.components.models.binding import loaded_variables
from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.local.blueprint import Blueprint, LocalTask
from mlopsgen.local.cloud import Cloud
from mlopsgen.local.control import ControlDocument
from mlopsgen.local.deploy import TAG, command, push
from mlopsgen.local.embedded import EmbeddedAws
from mlopsgen.local.inventory import Inventory, inventory
from mlopsgen.local.logs import Logs
from mlopsgen.local.process import Process, Program, run
from mlopsgen.local.show import Tell
from mlopsgen.local.state import MARK, RunFolder
from mlopsgen.local.tasks import TaskContext, location, tail, words
from mlopsgen.promotion import Gates


class Stop(UserFault):
    """The run cannot go on; the text says why, and what to do."""


class Account:
    """Empty until `open`. Whatever raises `Stop` has asked it something that it could not do."""

    def __init__(
        self,
        blueprint: Blueprint,
        folder: RunFolder,
        logs: Logs,
        mark: str,
        parameters: Mapping[str, Any],
        gates: Gates,
    ) -> None:
        """`mark`: the run's; `parameters` and `gates`: what is laid over those of every job."""
        self.blueprint = blueprint
        self.task_token = secrets.token_urlsafe(32)
        """What a task has to show to get its credentials."""
        self.serving = False
        """Whether the run has come so far that it brings back what ends."""
        self._folder = folder
        self._logs = logs
        self._mark = mark
        self._parameters = parameters
        self._gates = gates
        self._credentials_at = ""
        self._aws: EmbeddedAws | None = None
        self._server: Process | None = None
        self._context: TaskContext | None = None
        self._cloud: Cloud | None = None
        self._credentials: dict[str, ControlDocument] = {}
        self._data: list[Path] = []
        """What lies in raw/, to be put back should the embedded AWS end."""

    @property
    def is_open(self) -> bool:
        """Whether it can be asked anything."""
        return self._context is not None

    @property
    def has_data(self) -> bool:
        """Whether anything was uploaded."""
        return bool(self._data)

    @property
    def aws(self) -> EmbeddedAws:
        """Where it is, and how the AWS CLI finds it."""
        assert self._aws is not None
        return self._aws

    @property
    def cloud(self) -> Cloud:
        """What asks it; every call blocks."""
        assert self._cloud is not None
        return self._cloud

    @property
    def context(self) -> TaskContext:
        """What a task has to know of its surroundings."""
        assert self._context is not None
        return self._context

    async def open(self, credentials_at: str) -> None:
        """Start it on any free port. Tasks ask for their credentials at that URL. Raises `Stop`."""
        self._credentials_at = credentials_at
        await self._start(0)

    def ship_logs(self) -> None:
        """Send the logs of tasks there from now on; not before the stacks have made the log groups."""
        self._logs.cloud = self.cloud

    async def keep(self, stopped: asyncio.Event, say: Callable[[str], None]) -> None:
        """Should it end, start it again with what it held. Raises `Stop` if that cannot be done."""
        while True:
            assert self._server is not None
            code = await self._server.wait()
            if stopped.is_set():
                return
            say(f"the embedded AWS {words(code)}; it is started again, with its stacks and models")
            try:
                self._logs.cloud = None
                await self._start(int(self.aws.endpoint.rpartition(":")[2]))
                await self.deploy(lambda _: None, first=True)
                for data in self._data:
                    await self.upload(data)
                await self.ask(partial(self.cloud.restore, self._folder.store))
                await self.deploy(lambda _: None, first=False)
                self._logs.reopen()
                self.ship_logs()
            except (Stop, OSError) as error:
                raise Stop(f"the embedded AWS cannot be brought back: {error}") from None
            say("the embedded AWS is back")

    async def close(self, *, flush: bool) -> None:
        """End it; `flush`: not before it has all logs."""
        if self._server is not None and not self._server.ended:
            if flush:
                await self._logs.flush()
            await self._server.stop()

    async def deploy(self, tell: Tell, *, first: bool) -> None:
        """The first half: all that needs no model, with images pushed on the way. The second: the rest."""
        blueprint = self.blueprint
        if not first:
            await self._deploy_stacks(blueprint.after_model, tell)
            return
        await self._deploy_stacks(blueprint.before_images, tell)
        for name in blueprint.repositories:
            digest = await self.ask(partial(push, self.aws, name))
            tell(f"{name} ... pushed {digest[:19]}…")
        await self._deploy_stacks(blueprint.before_model, tell)

    async def upload(self, source: Path) -> int:
        """Put a file, or all files of a folder, into raw/; how many. Raises `Stop`."""
        raw = {location(each, "RAW_URI", self.context.account) for each in self.blueprint.tasks} - {None}
        if not raw:
            raise Stop(f"nothing reads the prefix `raw`, so there is no place for {source}")
        self._data = [*(each for each in self._data if each != source), source]
        try:
            counts: list[int] = [
                await self.ask(partial(self.cloud.upload, source, str(each))) for each in raw
            ]
            return max(counts)
        except OSError as error:
            raise Stop(f"cannot upload {source}: {error}") from None

    async def credentials(self, name: str) -> ControlDocument:
        """The credentials of a task's own role. Raises `KeyError` if there is no such task, `Stop`."""
        stacks = {each.name: each.stack for each in self.blueprint.tasks}
        stack = f"{self.blueprint.prefix}-{stacks[name]}"
        if name not in self._credentials:
            given = await self.ask(partial(self.cloud.credentials, stack, "TaskRole"))
            self._credentials[name] = given.document
        return self._credentials[name]

    async def inventory(self) -> list[Inventory]:
        """What the deployment made, as each service's own API reports it. Raises `Stop`."""
        found: list[Inventory] = await self.ask(lambda: list(inventory(self.aws, self.blueprint.prefix)))
        return found

    def published_at(self, job: LocalTask) -> str | None:
        """Where the job publishes its model, if it produces one."""
        return location(job, "MODEL_URI", self.context.account) if job.produces else None

    def loaded_from(self, task: LocalTask, model: str) -> str:
        """Where a model lies that the task loads."""
        uri = location(task, loaded_variables(model)[0], self.context.account)
        assert uri is not None
        return uri

    async def ask(self, call: Callable[[], Any]) -> Any:
        """What `call` gives, made in a thread. Raises `Stop` instead of botocore's errors."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            return await asyncio.to_thread(call)
        except HTTPClientError as error:
            await self._may_have_ended()
            self.check()
            pid = self._server.pid if self._server else 0
            raise Stop(
                f"the embedded AWS (process {pid}) does not answer; is it suspended? {error}"
            ) from None
        except (Boto3Error, BotoCoreError, ClientError) as error:
            self.check()
            raise Stop(f"the embedded AWS answered with an error: {error}") from None

    async def _may_have_ended(self) -> None:
        """Give the news of its end, if it has ended, a moment to come: a broken connection is quicker."""
        if self._server is not None and not self._server.ended:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._server.wait()), 0.5)

    def check(self) -> None:
        """Raises `Stop` if it has ended: whatever else went wrong, that is why."""
        if self._server is not None and self._server.ended:
            then = "it is being started again: try once more in a moment" if self.serving else "start again"
            raise Stop(f"the embedded AWS ended unexpectedly; {then}")

    async def _start(self, port: int) -> None:
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        log = self._logs.open("embedded-aws", str(port or "first"), None)

        def hear(line: str) -> None:
            log(line)
            if line.startswith("listening ") and not listening.done():
                listening.set_result(line)

        environment = self._folder.built / self.blueprint.environment
        command = Program(
            (
                sys.executable,
                "-m",
                "mlopsgen.local.server",
                str(port),
                self.blueprint.region,
                str(environment),
            ),
            dict(os.environ) | {MARK: f"{self._mark}/aws"},
            self._folder.scratch,
            5,
        )
        self._server = await Process.start(command, hear)
        ended = asyncio.ensure_future(self._server.wait())
        await asyncio.wait((listening, ended), timeout=60, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            raise Stop(f"the embedded AWS does not start{tail(log.last)}")
        self._aws = EmbeddedAws(listening.result().partition(" ")[2], self.blueprint.region)
        self._cloud = await self.ask(partial(Cloud, self.aws.endpoint, self.blueprint.region))
        account = self.blueprint.account
        if account is None:
            account = await self.ask(self.cloud.account)
        self._context = TaskContext(
            endpoint=self.aws.endpoint,
            region=self.blueprint.region,
            account=account,
            credentials=self._credentials_at,
            token=self.task_token,
            mark=self._mark,
            scratch=self._folder.scratch,
            volumes=self._folder.volumes / self.blueprint.environment,
            parameters=self._parameters,
            gates=self._gates,
        )
        self._credentials.clear()

    async def _deploy_stacks(self, stacks: tuple[str, ...], tell: Tell) -> None:
        if not stacks:
            return
        folder = self._folder.built / self.blueprint.environment
        environment = dict(self.aws.environment) | {"IMAGE_TAG": TAG, MARK: f"{self._mark}/deploy"}
        log = self._logs.open("deploy", "sh", None, hear=tell)
        code = await run(
            Program((*command(folder), "--models-are-there", *stacks), environment, folder, 5), log
        )
        if code:
            self.check()
            raise Stop(f"deploy.sh {words(code)}{tail(log.last)}")
