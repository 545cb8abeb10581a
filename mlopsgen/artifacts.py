"""Files: what is to be written, what is there, and how one becomes the other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file to be written: its path below the output folder, with `/`, and its text."""

    path: str
    text: str
    executable: bool = False
