"""`POST /dialogue`: asks the intents service what a customer wants, and answers.

No conversation is stored: what must be remembered travels in `session`, signed with SESSION_KEY, so any
task can answer next. `answers.json` in `raw/` holds one answer for each intent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import boto3
import httpx
import uvicorn
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, StringConstraints

from .session import seal, unseal

S3 = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
PATIENCE = httpx.Timeout(2.0, connect=1.0)
"""Seconds; the customer waits for this and for the rest."""
SURE = 0.5
"""The least probability of an intent that is acted on."""
MISSES = 2
"""How often in a row it asks again before it hands over to a person."""
KEEP_ALIVE_MARGIN = 15
"""Seconds that an idle connection outlives the load balancer's: who closes first must not be the server."""
LONGEST_BODY = 16_384
SHORTEST_KEY = 16

ANSWERS = {
    "track-order": "You find where your order is under My orders.",
    "return-item": "You can return goods for 30 days; the label is under My orders.",
    "refund": "A refund takes five working days after the goods are back.",
    "change-address": "You can change the address under My account until the parcel has left.",
    "opening-hours": "We answer from 8:00 to 19:00, Monday to Friday.",
    "human": "I pass you on to a colleague.",
}
ASK_AGAIN = "I am not sure that I understand. Could you say it in other words?"
HAND_OVER = "I do not understand, and pass you on to a colleague."
TROUBLE = "I cannot look into this just now. Please try again in a few minutes."


class Misconfigured(Exception):
    """Why the service cannot start; the message says what to do."""


class Turn(BaseModel):
    """What a customer says, and the session of the answer before."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
    session: Annotated[str, StringConstraints(max_length=500, pattern=r"^[A-Za-z0-9_=.-]*$")] = ""


class Answer(BaseModel):
    """What it says; `intent` is null if it did not understand or could not ask."""

    answer: str
    intent: str | None
    session: str


async def likeliest(client: httpx.AsyncClient, url: str, text: str) -> tuple[str, float]:
    """The intent of a text and its probability. Raises httpx.HTTPError or ValueError."""
    answer = (await client.post(url, json={"text": text})).raise_for_status().json()
    try:
        first = answer["intents"][0]
        return str(first["intent"]), float(first["probability"])
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"unexpected answer: {error!r}") from error


def build(intents_url: str, answers: Mapping[str, str], key: bytes) -> FastAPI:
    """The service, which asks `intents_url`."""

    @asynccontextmanager
    async def connections(app: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=PATIENCE) as app.state.client:
            yield

    app = FastAPI(title="Dialogue", lifespan=connections)

    @app.middleware("http")
    async def limit(request: Request, answer: Any) -> Response:
        length = request.headers.get("content-length", "")
        if request.method == "POST" and (not length.isdecimal() or int(length) > LONGEST_BODY):
            return JSONResponse({"detail": f"send Content-Length, of at most {LONGEST_BODY} bytes"}, 413)
        response: Response = await answer(request)
        return response

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"detail": [{"loc": f["loc"], "msg": f["msg"]} for f in error.errors()]}, 422)

    @app.post("/dialogue")
    async def dialogue(turn: Turn) -> Answer:
        """Answer one turn; with an apology where the intents service does not answer in time."""
        misses = unseal(turn.session, key)
        try:
            intent, probability = await likeliest(app.state.client, intents_url, turn.text)
        except (httpx.HTTPError, ValueError) as error:
            log("intents service failed", reason=repr(error))
            return Answer(answer=TROUBLE, intent=None, session=seal(misses, key))
        if probability >= SURE and intent in answers:
            return Answer(answer=answers[intent], intent=intent, session=seal(0, key))
        if misses < MISSES:
            return Answer(answer=ASK_AGAIN, intent=None, session=seal(misses + 1, key))
        return Answer(answer=HAND_OVER, intent="human", session=seal(0, key))

    @app.get("/health")
    async def health() -> dict[str, str]:
        """The process lives. Without the intents service it can still apologise."""
        return {"status": "ok"}

    return app


def read_answers(uri: str) -> dict[str, str]:
    """`answers.json` at `uri`; the answers above if there is none. Raises `Misconfigured`."""
    parts = urlsplit(uri)
    try:
        if parts.scheme == "s3":
            s3 = boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=S3)
            body = s3.get_object(Bucket=parts.netloc, Key=f"{parts.path.strip('/')}/answers.json")[
                "Body"
            ].read()
        else:
            body = Path(unquote(parts.path) if parts.scheme == "file" else uri, "answers.json").read_bytes()
        answers = json.loads(body)
    except FileNotFoundError:
        return ANSWERS
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return ANSWERS
        raise Misconfigured(f"cannot read {uri}answers.json: {error}") from error
    except (OSError, BotoCoreError, Boto3Error, ValueError) as error:
        raise Misconfigured(f"cannot read {uri}answers.json: {error}") from error
    if not isinstance(answers, dict) or not all(isinstance(text, str) for text in answers.values()):
        raise Misconfigured(f"{uri}answers.json must be one JSON object of intents and their answers")
    return answers


def log(message: str, **values: Any) -> None:
    """One JSON object a line; never what a customer wrote."""
    print(json.dumps({"time": datetime.now(UTC).isoformat(), "message": message, **values}), flush=True)


def read_settings() -> dict[str, str]:
    """What the environment says. Raises `Misconfigured`."""
    names = ("INTENTS_URL", "PORT", "RAW_URI", "SESSION_KEY")
    settings = {name: os.environ.get(name, "") for name in names}
    settings["KEEP_ALIVE_SECONDS"] = os.environ.get("KEEP_ALIVE_SECONDS", "60")
    if missing := [name for name, value in settings.items() if not value]:
        raise Misconfigured(f"{missing[0]} is not set")
    url = urlsplit(settings["INTENTS_URL"])
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise Misconfigured("INTENTS_URL is no address such as https://help.example.com/intents")
    for name in ("PORT", "KEEP_ALIVE_SECONDS"):
        if not settings[name].isdecimal():
            raise Misconfigured(f"{name} is no number")
    if len(settings["SESSION_KEY"]) < SHORTEST_KEY:
        raise Misconfigured(f"SESSION_KEY has fewer than {SHORTEST_KEY} characters")
    return settings


def main() -> int:
    """Listen on PORT; the result is the exit status. SIGTERM lets requests in flight end."""
    # uvicorn drains, then hands the signal on to this handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = read_settings()
        answers = read_answers(settings["RAW_URI"])
    except Misconfigured as error:
        log("cannot serve", reason=str(error))
        return 1
    app = build(settings["INTENTS_URL"], answers, settings["SESSION_KEY"].encode())
    log("serving")
    uvicorn.run(
        app,
        host=os.environ.get("HOST") or "0.0.0.0",
        port=int(settings["PORT"]),
        access_log=False,
        log_level="warning",
        timeout_keep_alive=int(settings["KEEP_ALIVE_SECONDS"]) + KEEP_ALIVE_MARGIN,
        timeout_graceful_shutdown=25,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
