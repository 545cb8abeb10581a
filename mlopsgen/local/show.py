"""Progress: a line that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Tell = Callable[[str], None]

HIDDEN = frozenset(("time", "level", "event", "timestamp", "message", "logger"))


class Show:
    """Says what is going on, one step after the other."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console: Any = None
        if not quiet and sys.stdout.isatty():
            from rich.console import Console

            plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
            # Without a colour system there is no bold and no dim either.
            self._console = Console(highlight=False, color_system=None if plain else "auto")

    def say(self, line: str = "") -> None:
        """A line that stays."""
        if self._quiet:
            return
        if self._console is not None:
            self._console.print(line, markup=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def note(self, text: str) -> None:
        """A sentence of a list, with its words kept whole on a terminal."""
        width = self._console.width if self._console is not None else len(text) + 2
        for line in textwrap.wrap(
            text,
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        ):
            self.say(line)

    def link(self, what: str, where: str) -> None:
        """A place to look at."""
        self.say(f"  {what:<9} {where}")

    @contextmanager
    def step(self, what: str, *, keep: bool = False) -> Iterator[Tell]:
        """A step with its duration; the block tells what it is about. `keep`: the last of that stays."""
        started = time.monotonic()
        if self._console is None:
            self.say(f"{what} ...")
            yield lambda line: self.say(f"  {line}")
            self.say(f"{what}: done in {time.monotonic() - started:.1f} s")
            return
        from rich.text import Text

        with self._console.status(Text(what)) as status:
            told = ""

            def tell(line: str) -> None:
                nonlocal told
                told = line
                status.update(
                    Text.assemble(what, ("  " + _fit(line, self._console.width - len(what) - 8), "dim"))
                )

            try:
                yield tell
            except BaseException:
                self._console.print(Text.assemble(("✗ ", "red"), what))
                raise
        took = f"  {time.monotonic() - started:.1f} s"
        self._console.print(Text.assemble(("✓ ", "green"), what, (took, "dim")))
        if keep and told:
            self._console.print(Text(f"  {_fit(told, self._console.width - 2)}", "dim"))


def _fit(line: str, width: int) -> str:
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"


def gist(line: str) -> str | None:
    """A program's log line for people; None if it is not for them, such as metrics."""
    if not line.startswith("{"):
        return line
    try:
        found = json.loads(line)
    except ValueError:
        return line
    if not isinstance(found, dict):
        return line
    if "_aws" in found:
        return None
    return _sentence(found) or None


def _sentence(found: Mapping[str, Any]) -> str:
    words = [str(found[key]) for key in ("event", "message") if found.get(key)]
    words += [
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in found.items()
        if key not in HIDDEN and isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    return "  ".join(words)
