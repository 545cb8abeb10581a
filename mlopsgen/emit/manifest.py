"""`manifest.json`: which compiler made what, from what.

It lists the other outputs, and so is none of those that are found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from mlopsgen import __version__
from mlopsgen.artifacts import Artifact
from mlopsgen.emit.deploy import first_after_images
from mlopsgen.manifest import MANIFEST, SCHEMA, digest
from mlopsgen.model.plan import Plan


def manifest(
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
                "afterImages": first_after_images(plan),
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
