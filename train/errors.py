"""What is the user's fault, as opposed to ours."""

from __future__ import annotations


class Fault(Exception):
    """Something outside the program is wrong: `message` says what and where, `help` what to do."""

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002: the field's name elsewhere
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message}\n  help: {self.help}" if self.help else self.message


class Stopped(Exception):
    """SIGTERM came, and the checkpoint is saved."""
