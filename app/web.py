"""The page on which people try the model, in words that fit it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from pathlib import Path
from string import Template

from fastapi import FastAPI, Request, Response

from app.model import Model

PAGE = Path(__file__).parent / "page"
ASSETS = {
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
}

REVIEWS = {
    "noun": "review",
    "title": "How does this review feel?",
    "lead": "Write about a film. The model says what it takes the review for, how sure it is, and which "
    "words decided it.",
    "field": "Your review",
    "hint": "English works best. Nothing you write is kept.",
}
EXAMPLES = (
    "A warm, funny film with a wonderful cast. I left the cinema smiling.",
    "Dull, predictable and far too long. I wanted my two hours back.",
    "The plot is a mess, but the acting is so good that I did not mind.",
)
FEELINGS = {"negative", "positive"}
"""The labels of the example, whose page speaks of reviews."""

NAMED = 12
"""Labels that the page lists."""


def add(app: FastAPI) -> None:
    """Add the page and what belongs to it."""
    page = Template((PAGE / "index.html").read_text())

    async def index(request: Request) -> Response:
        reloader = request.app.state.service.reloader
        return _answer(page.substitute(_words(reloader.model)).encode(), "text/html; charset=utf-8")

    app.add_route("/", index, include_in_schema=False)
    for path, (file, media_type) in ASSETS.items():
        app.add_route(path, _asset((PAGE / file).read_bytes(), media_type), include_in_schema=False)


def _asset(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that answers with this content."""

    async def endpoint(request: Request) -> Response:
        return _answer(content, media_type)

    return endpoint


def _answer(content: bytes, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})


def _words(model: Model | None) -> Mapping[str, str]:
    """What the page says, as HTML."""
    labels = model.labels if model else ()
    words = REVIEWS if not labels or FEELINGS.issuperset(labels) else _general(labels)
    examples = EXAMPLES if words is REVIEWS else ()
    buttons = (f'<button type="button" class="example">{escape(each)}</button>' for each in examples)
    return {key: escape(text) for key, text in words.items()} | {
        "examples": "\n      ".join(buttons),
        "made_up": "" if model and model.manifest.made_up else "hidden",
        "no_examples": "" if examples else "hidden",
    }


def _general(labels: tuple[str, ...]) -> Mapping[str, str]:
    named = ", ".join(f"“{each}”" for each in labels[:NAMED])
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return {
        "noun": "text",
        "title": "Which label fits?",
        "lead": f"Write a text. The model knows {named}{more}: it says what it takes the text for, how sure "
        "it is, and which words decided it.",
        "field": "Your text",
        "hint": "Nothing you write is kept.",
    }
