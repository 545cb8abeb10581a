"""One file for each kind of output, found by its presence. Emitters read the plan and nothing above it.

Each has `emit(plans, folder) -> Iterator[Artifact]`; `folder` is the output folder as files beside the
pipeline name it. Only templates were written before, to be checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.discovery import modules
from mlopsgen.emit.cloudformation import written
from mlopsgen.model.plan import Plan


def emit(
    plans: Sequence[Plan],
    templates: Sequence[Mapping[str, str]],
    inputs: Mapping[str, str],
    files: Iterable[str],
    folder: str = OUTPUT,
) -> tuple[Artifact, ...]:
    """Every file that the plans become, sorted by path; the manifest, which lists the others, comes last.

    `templates` are the texts of each plan's templates by the names of the stacks: they were written to be
    checked. `inputs` gives the SHA-256 of each file that was read, `files` names those that only had to be
    there.
    """
    outputs = [module for module in modules(__name__) if hasattr(module, "emit")]
    artifacts = [each for module in outputs for each in module.emit(plans, folder)]
    artifacts += (each for plan, texts in zip(plans, templates, strict=True) for each in written(plan, texts))
    artifacts.sort(key=lambda each: each.path)
    from mlopsgen.emit.manifest import manifest

    return (*artifacts, manifest(plans, artifacts, inputs, files))
