"""How long the model of motion takes for an edit of this repository's pipeline, in all of its environments.

    .venv/bin/python benchmarks/motion/run.py [ROUNDS]

What is timed is what a forecast does after compiling: the old set is put into an empty account, the new one
is deployed to it. Reading both sets from the texts of `generated/` is timed apart. CPU time of this process;
the median of all rounds, and the least.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from mlopsgen.compile import artifacts, compile_pipeline  # noqa: E402
from mlopsgen.motion.reading import read, template  # noqa: E402
from mlopsgen.motion.replay import forecast  # noqa: E402

EDITS = {
    "nothing": ("", ""),
    "one variable": (
        "healthCheck: {path: /ready}",
        "healthCheck: {path: /ready}\n      env: {LOG_LEVEL: debug}",
    ),
    "another scheme": ("loadBalancer: public", "loadBalancer: internal"),
    "three zones": ("availabilityZones: 2", "availabilityZones: 3"),
    "another label": ("team: time-series", "team: language"),
}


def folders(pipeline: str) -> Mapping[str, dict[str, str]]:
    """The texts of each environment's folder, as a build writes them."""
    compilations = compile_pipeline(pipeline, "pipeline.yaml")
    found: dict[str, dict[str, str]] = {each.environment: {} for each in compilations}
    for each in artifacts(compilations, {}):
        environment, _, path = each.path.partition("/")
        if environment in found:
            found[environment][path] = each.text
    return found


def timed(rounds: int, work: Callable[[], object]) -> str:
    """CPU time in milliseconds."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - start))
    return f"{statistics.median(taken):6.1f} ms, at least {min(taken):.1f}"


def main() -> int:
    """Show a line for each edit."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    text = (ROOT / "pipeline.yaml").read_text()
    old = folders(text)
    before = {name: read(files) for name, files in old.items()}
    for title, (word, other) in EDITS.items():
        new = {name: read(files) for name, files in folders(text.replace(word, other)).items()}
        print(f"{title:16}", timed(rounds, lambda: [forecast(before[name], new[name]) for name in new]))  # noqa: B023

    def reading() -> None:
        template.cache_clear()
        for files in old.values():
            read(files)

    print(f"{'reading one set':16}", timed(rounds, reading))
    return 0


if __name__ == "__main__":
    sys.exit(main())
