"""What ends a run: the user's fault, as opposed to ours, and SIGTERM."""

from __future__ import annotations


class Fault(Exception):
    """Something outside the program is wrong: `message` says what and where, `help` what to do."""

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002 (the word that the user reads)
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message}\n  help: {self.help}" if self.help else self.message


class Stopped(BaseException):
    """SIGTERM came, and what can be saved is saved.

    Like KeyboardInterrupt it may come out of any line, so no library's `except Exception` may swallow it.
    """


class Failed(Exception):
    """A training process ended with this exit code, and has said why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a training process ended with code {code}")
        self.code = code
