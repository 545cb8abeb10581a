"""What was meant by a text that does not fit its form, where it can be nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlopsgen.diagnostics.span import SpecPath

_SHORTCUTS = {
    "@annually": "0 0 1 1 *",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@midnight": "0 0 * * *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@yearly": "0 0 1 1 *",
}
"""crontab's own words (crontab(5), "Extensions")."""


_AS_THEY_ARE = frozenset((
    "boundary", "branch", "bucket", "context", "email", "hosts", "image", "instanceTypes", "mountPath",
    "parameter", "path", "paths", "repository", "requirements", "secret", "systemPackages",
))  # fmt: skip
"""Fields that name something of somebody else's, where another letter is another thing."""


def meant(path: SpecPath, text: str, pattern: str) -> str | None:
    """The text in the form of `pattern`, or None if nobody can know it."""
    word = next((step for step in reversed(path) if isinstance(step, str)), "")
    for candidate in _candidates(word, text.strip()):
        # Python's `$` matches before a line's end too; the language's does not.
        if candidate != text and "\n" not in candidate and re.fullmatch(pattern, candidate):
            return candidate
    return None


def _candidates(word: str, text: str) -> Iterator[str]:
    """The same text as other tools and people write it."""
    yield text
    if word == "cron":
        yield from _crons(text)
        return
    if word == "allowFrom":
        yield f"{text}/32"
    if word == "email":
        yield re.sub(r"^mailto:|[,;.]+$", "", re.sub(r"^.*<(.*)>$", r"\1", text))
    if word in ("region", "version"):
        # A zone's letter, and a patch of Python.
        yield re.sub(r"^(.*-[0-9])[a-f]$", r"\1", text.lower())
        yield re.sub(r"^(3\.[0-9]+)\.[0-9]+$", r"\1", text)
    if word == "account":
        yield re.sub(r"[- ]", "", text)
    if word == "repository":
        yield re.sub(r"(\.git)?/?$", "", re.sub(r"^(https?://|git@|ssh://git@)github\.com[/:]", "", text))
    if word == "hosts":
        yield re.sub(r"^[a-z]+://|[:/].*$|\.$", "", re.sub(r"^[a-z]+://", "", text.lower())).rstrip(".")
    if word in ("context", "path", "requirements"):
        yield text.replace("\\", "/").lstrip("/")
    if word in ("mountPath", "path", "paths"):
        yield f"/{text}"
        yield re.sub(r"[?#*].*$", "", text)
        yield re.sub(r"/+", "/", text)
    yield text.lower()
    if word not in _AS_THEY_ARE:
        yield re.sub(r"[-_. ]+", "-", text.lower()).strip("-")
        yield re.sub(r"[-. ]+", "_", text)


def _crons(text: str) -> Iterator[str]:
    yield _SHORTCUTS.get(text.lower(), "")
    if rate := re.fullmatch(r"rate\(1 (hour|day)\)", text):
        yield "0 * * * *" if rate[1] == "hour" else "0 0 * * *"
    if fields := re.fullmatch(r"cron\((\S+ \S+ \S+ \S+ \S+) \*\)", text):
        days = fields[1].split()[4]
        # EventBridge counts weekdays from 1 for Sunday, crontab from 0: only names mean the same.
        if not re.search("[0-9LW#]", days):
            yield fields[1].replace("?", "*")
