"""What a merge does, all environments together: the value from which every form is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mlopsgen import __version__
from mlopsgen.forecast.edits import Edit, edits
from mlopsgen.forecast.outlook import Outlook, outlook
from mlopsgen.forecast.sides import Sides


class Report(NamedTuple):
    """What is told of a merge."""

    pipeline: str
    """The file, as the user named it."""
    name: str
    """What the pipeline calls itself."""
    before: str
    """What was deployed, such as `main (a1b2c3d)`."""
    outlooks: tuple[Outlook, ...]
    edits: tuple[Edit, ...]
    """Everything that was edited in the pipeline, in the order of the file."""
    version: str
    """Of mlopsgen, now."""
    earlier: str | None
    """The version that compiled the side before; None if it is this one, or not known."""
    notes: tuple[str, ...]
    """What has to be known beside the verdicts."""

    @property
    def stops(self) -> bool:
        """Whether a deployment cannot get to its end."""
        return any(each.stops for each in self.outlooks)

    @property
    def changes(self) -> bool:
        """Whether anything happens at all."""
        return any(each.way != "same" for each in self.outlooks)


def report(sides: Sides, pipeline: str, environments: Sequence[str], notes: Iterable[str] = ()) -> Report:
    """What happens to some environments, the last stage first."""
    said = list(notes)
    if sides.recompiled:
        said.append(
            f"{sides.before.title} has no generated files; its pipeline was compiled again, by mlopsgen "
            f"{__version__}"
        )
    elif not sides.old:
        said.append(f"{sides.before.title} has neither a pipeline nor generated files: everything is new")
    if sides.documents is None and sides.old:
        said.append(
            "the pipeline of the side before is not known: verdicts name the lines that resources come from"
        )
    earlier = sides.before.compiler
    return Report(
        pipeline,
        sides.name,
        sides.before.title,
        tuple(outlook(sides, each) for each in environments),
        edits(*sides.documents) if sides.documents else (),
        __version__,
        earlier if earlier != __version__ else None,
        tuple(said),
    )
