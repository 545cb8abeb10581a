"""`manifest.json`: which compiler made what, from what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from mlopsgen import __version__
from mlopsgen.artifacts import Artifact
from mlopsgen.manifest import MANIFEST, SCHEMA, digest
from mlopsgen.plan import Plan


def emit(
    plans: Sequence[Plan], artifacts: Iterable[Artifact], inputs: Mapping[str, str], files: Iterable[str]
) -> Artifact:
    """The manifest of `artifacts`.

    `inputs` gives the SHA-256 of each file that was read, `files` names those that only had to be there;
    both are paths from the folder of the pipeline.
    """
    document = {
        "schema": SCHEMA,
        "compiler": {"name": "mlopsgen", "version": __version__},
        "inputs": dict(sorted(inputs.items())),
        "files": sorted(set(files)),
        "environments": {
            plan.environment: {
                "afterImages": after_images(plan),
                "prefix": plan.prefix,
                "region": plan.region,
                "repositories": [image.repository for image in plan.images],
                "stacks": [stack.name for stack in plan.stacks],
            }
            for plan in plans
        },
        "outputs": {each.path: digest(each.content) for each in artifacts},
    }
    return Artifact(MANIFEST, json.dumps(document, indent=2) + "\n")


def after_images(plan: Plan) -> str | None:
    """The first stack that comes after the images were pushed."""
    names = [stack.name for stack in plan.stacks]
    if "registry" not in names:
        return None
    rest = names[names.index("registry") + 1 :]
    return rest[0] if rest else None
