"""The HTTP interface. Handlers are thin: the model, the queue and the counts are injected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Discriminator, Tag
from starlette.exceptions import HTTPException

from app import open_inference, web
from app.explain import explain
from app.model import Model
from app.problems import Flaw, Refused, problem
from app.reload import ModelReloader
from app.schemas import (
    HATED,
    LOVED,
    Explanation,
    ManyTexts,
    ManyVerdicts,
    ModelFacts,
    ModelFailure,
    OneText,
    OneVerdict,
    Problem,
    Ready,
    Status,
    Word,
)
from app.service import Service, Serving, answer, flaw, note, verdict_of

EXPLAIN_SECONDS = 2.0
EXPLAIN_LEAST, EXPLAIN_MOST = 16, 128
"""How often the model is asked to explain one text: as often as fits in the time, within bounds."""

EXPLANATIONS = 2
"""Explanations under way at a time."""

HTTP = {
    400: ("bad_request", "the body is no JSON"),
    404: ("not_found", "there is nothing here"),
    405: ("method_not_allowed", "this method is not known here"),
}
"""The codes and words of what the framework refuses."""

RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
BUSY: dict[int | str, dict[str, object]] = {
    503: {"model": Problem, "description": "Overloaded, too slow, or no model yet", "headers": RETRY}
}
OUTSIDE: dict[int | str, dict[str, object]] = {
    404: {"model": Problem, "description": "A load balancer has forwarded the request"}
}
BAD: dict[int | str, dict[str, object]] = {
    400: {"model": Problem, "description": "The body is no JSON"},
    408: {"model": Problem, "description": "The body did not arrive in time"},
    413: {"model": Problem, "description": "The body is too large"},
    415: {"model": Problem, "description": "The body is not declared as JSON"},
    422: {"model": Problem, "description": "The body does not have the right shape"},
}


def _many(body: object) -> str:
    return "many" if isinstance(body, dict) and "texts" in body else "one"


Question = Annotated[
    Annotated[OneText, Tag("one")] | Annotated[ManyTexts, Tag("many")],
    Discriminator(_many),
    Body(
        openapi_examples={
            "one": {"summary": "One text", "value": {"text": LOVED}},
            "many": {"summary": "Several texts", "value": {"texts": [LOVED, HATED]}},
        }
    ),
]


class Application(FastAPI):
    """FastAPI, whose document names the media type that errors have here."""

    def openapi(self) -> dict[str, Any]:
        """The API's document."""
        document = super().openapi()
        operations = (each for path in document["paths"].values() for each in path.values())
        for status, said in (pair for each in operations for pair in each["responses"].items()):
            if status >= "400" and "application/json" in said.get("content", {}):
                said["content"] = {"application/problem+json": said["content"]["application/json"]}
        return document


def build(base_path: str = "") -> FastAPI:
    """The application; `state.service` is set before it answers. `base_path` is its prefix."""
    # Its pages of documentation load scripts from elsewhere, which the content policy forbids.
    app = Application(
        title="Text classification",
        version="1",
        description="Says which label a text gets, how sure the model is, and which words mattered.",
        docs_url=None,
        redoc_url=None,
        # Behind a load balancer a redirect would lead from HTTPS to HTTP, and a text be sent again in clear.
        redirect_slashes=False,
        servers=[{"url": base_path}] if base_path else None,
    )
    _add_routes(app)
    _add_sagemaker(app)
    open_inference.add(app)
    _add_heads(app)
    web.add(app)
    _add_errors(app)
    return app


def _add_routes(app: FastAPI) -> None:
    @app.get("/health", tags=["operation"])
    async def health() -> Status:
        """Whether the process lives."""
        return Status(status="ok")

    app.get("/ready", tags=["operation"], responses=BUSY)(ready)

    @app.get("/metrics", tags=["operation"], responses=OUTSIDE, response_class=Response)
    async def metrics(service: Serving, request: Request) -> Response:
        """Counts for Prometheus, in its text format; for those alone who ask from within the network."""
        if request.scope["state"]["forwarded"]:
            raise Refused(404, *HTTP[404])
        text = service.metrics.render(service.batcher.depth)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/model", tags=["predictions"], responses=BUSY)
    async def model(service: Serving, request: Request) -> ModelFacts:
        """The model in use, and why a newer one is not."""
        return _facts(service.model(), service.reloader, forwarded=request.scope["state"]["forwarded"])

    app.post(
        "/predict", tags=["predictions"], responses=BAD | BUSY, response_model=OneVerdict | ManyVerdicts
    )(predict)

    @app.post("/explain", tags=["predictions"], responses=BAD | BUSY)
    async def explain_text(question: OneText, service: Serving, request: Request) -> Explanation:
        """Say which label the text gets, and which words mattered: each is left out in turn."""
        model = service.model()
        note(request.scope, model, [question.text])
        if service.explanations.locked():
            raise Refused(503, "overloaded", "other explanations are under way; try again in 1 s", 1)
        async with service.explanations:
            return await _explain(service, model, question.text)


async def ready(service: Serving) -> Ready:
    """Whether a model is loaded, so that predictions are answered."""
    return Ready(status="ready", model=service.model().version)


async def predict(question: Question, service: Serving, request: Request) -> Response:
    """Say which label each text gets."""
    return json_response(await answer(question, service, request.scope))


def _add_sagemaker(app: FastAPI) -> None:
    """What SageMaker asks of a container (its guide, "Custom Inference Code with Hosting Services")."""
    app.add_api_route("/ping", ready, include_in_schema=False)
    app.add_api_route("/invocations", predict, methods=["POST"], include_in_schema=False)


def _add_heads(app: FastAPI) -> None:
    """HEAD wherever there is GET, as RFC 9110 asks (section 9.1); uvicorn leaves the body out."""
    for route in list(app.routes):
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            app.add_api_route(route.path, route.endpoint, methods=["HEAD"], include_in_schema=False)


def json_response(content: BaseModel) -> Response:
    """The answer as pydantic writes it: FastAPI would validate once more what was made a moment ago."""
    return Response(content.model_dump_json(), media_type="application/json")


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        headers = {"retry-after": str(error.retry_after)} if error.retry_after else None
        return _problem(request, error, headers=headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code, message = HTTP.get(error.status_code, ("http", str(error.detail)))
        return _problem(request, Refused(error.status_code, code, message), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        problems = error.errors()
        if any(each["type"] == "json_invalid" for each in problems):
            return _problem(request, Refused(400, *HTTP[400]))
        if not request.headers.get("content-type", "").split(";")[0].strip().lower().endswith("json"):
            return _problem(request, Refused(415, "unsupported", "send the body as application/json"))
        flaws = [flaw(each, each["loc"][1:]) for each in problems[:20]]
        return _problem(request, Refused(422, "invalid", flaws[0].says()), flaws)


def _problem(
    request: Request, refused: Refused, flaws: Sequence[Flaw] = (), headers: Mapping[str, str] | None = None
) -> Response:
    media_type, body = problem(request.scope, refused, flaws)
    return Response(body, refused.status, headers=headers, media_type=media_type)


def _facts(model: Model, reloader: ModelReloader, *, forwarded: bool) -> ModelFacts:
    document, failed = model.manifest.document, reloader.failure
    metrics = document.get("metrics")
    # It may name buckets.
    reason = "the log says why" if forwarded else failed.reason if failed else ""
    return ModelFacts(
        name=model.manifest.name,
        version=model.version,
        created_at=_text(document.get("createdAt")),
        architecture=_text(document.get("architecture")),
        labels=list(model.labels),
        max_tokens=model.manifest.max_tokens,
        precision=model.precision,
        metrics=metrics if isinstance(metrics, dict) else {},
        made_up=model.manifest.made_up,
        failure=ModelFailure(version=failed.version, reason=reason) if failed else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


async def _explain(service: Service, model: Model, text: str) -> Explanation:
    [(encoded, row)] = await service.read(model, [text])
    verdict = verdict_of(model, encoded, row)
    column = model.labels.index(verdict.label)
    affordable = EXPLAIN_SECONDS / max(service.batcher.seconds(model, len(encoded.ids)), 1e-6)
    budget = max(EXPLAIN_LEAST, min(EXPLAIN_MOST, int(affordable)))

    async def ask(texts: Sequence[str]) -> list[float]:
        return [each[column] for _, each in await service.read(model, texts, patient=True)]

    parts = await explain(text, row[column], ask, budget)
    return Explanation(
        **dict(verdict),
        model=model.version,
        words=[Word(text=part.text, weight=part.weight) for part in parts],
    )
