"""The user's side is at fault, and no line of a file: the base of what a command tells and ends with."""

from __future__ import annotations


class UserFault(Exception):
    """The text says what is wrong and what to do. A command that ends with it has exit code 1."""
