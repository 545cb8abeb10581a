"""The fast path: a valid `POST /predict` is answered without FastAPI's routing and validation.

FastAPI describes the API, and says what is wrong with a request. But its way from a body to a function and
back takes as long as a small network takes for a text, so a `POST /predict` in which nothing is wrong is
answered here, by the same function; all else goes to FastAPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError

from app.api import Question, json_response
from app.middleware import once
from app.schemas import ManyTexts, OneText
from app.service import answer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PATH = "/predict"


class FastPath:
    """An ASGI application around the one that `api.build` makes."""

    def __init__(self, application: FastAPI) -> None:
        self._application = application
        self._question: TypeAdapter[OneText | ManyTexts] = TypeAdapter(Question)
        [self._route] = (route for route in application.router.routes if getattr(route, "path", "") == PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes requests whose whole body comes at once, as `Middleware` hands them on."""
        if not _is_prediction(scope):
            await self._application(scope, receive, send)
            return
        body = (await receive())["body"]
        try:
            question = self._question.validate_json(body)
        except ValidationError:
            await self._application(scope, once(body), send)
            return
        scope["route"] = self._route
        response = json_response(await answer(question, self._application.state.service, scope))
        await response(scope, receive, send)


def _is_prediction(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["path"] == PATH
        and scope["method"] == "POST"
        and (b"content-type", b"application/json") in scope["headers"]
    )
