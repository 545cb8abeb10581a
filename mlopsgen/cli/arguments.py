"""What the command line is parsed with."""

from __future__ import annotations

import argparse
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Parser(argparse.ArgumentParser):
    """Finds out how wide the terminal is when it shows help, and not for every option that it is told of.

    The standard library's way of finding out takes longer to import than all options take to parse.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=partial(argparse.HelpFormatter, width=80))

    def format_help(self) -> str:
        """The whole help."""
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    def format_usage(self) -> str:
        """The line of usage."""
        self.formatter_class = argparse.HelpFormatter
        return super().format_usage()

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """An action that does not exist is answered with the nearest that does."""
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            from mlopsgen.diagnostics.closest import closest

            close = closest(value, action.choices)
            hint = f"did you mean `{close}`?" if close else f"there are: {', '.join(action.choices)}"
            self.error(f"`{self.prog}` has no action `{value}`; {hint}")
        super()._check_value(action, value)
