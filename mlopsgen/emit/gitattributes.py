"""What Git has to know of the output: its line ends stay, and pull requests fold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.model.plan import Plan

# A script with CRLF, which Git writes where `core.autocrlf` is on, does not run ("gitattributes", in Git's
# manual). What is `linguist-generated` is folded (GitHub's documentation, "Customizing how changed files
# appear on GitHub").
TEXT = """\
# Compiled by mlopsgen. Edit the pipeline, not this file.
* text eol=lf linguist-generated=true
"""


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """`.gitattributes`, for all that is beside and below it."""
    yield Artifact(".gitattributes", TEXT)
