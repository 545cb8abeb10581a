"""Kills builds at random moments and looks at what they leave: `python -m tests.killing [BUILDS]`.

After each kill nothing of others has changed, `build --check` says whether the folder is up to date, and the
next build brings it to what an undisturbed one writes. Ends with 1 at the first that does not.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cases import case

FOREIGN = {"mine.txt": "mine", "dev/stacks/mine.yaml": "mine too"}
COMMAND = (sys.executable, "-m", "mlopsgen", "build", "pipeline.yaml")


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below, with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def build(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], cwd=project, capture_output=True, text=True)


def project(place: Path, name: str) -> Path:
    """A folder with a known pipeline, and what it becomes in `generated`, beside files of somebody else."""
    source = case(name).pipeline.parent
    shutil.copytree(
        source, place, ignore=shutil.ignore_patterns("generated", ".*", "tests", "docs", "mlopsgen")
    )
    return place


def main(builds: int) -> int:
    """Kill that many."""
    choose = random.Random()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary, "project")
        whole: list[dict[str, bytes]] = []
        texts: list[str] = []
        for number, name in enumerate(("minimal", "strategies")):
            one = project(Path(temporary, f"whole{number}"), name)
            assert build(one).returncode == 0
            whole.append(tree(one / "generated"))
            texts.append((one / "pipeline.yaml").read_text())
            shutil.copytree(one, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("generated"))
        took = 0.5
        stopped = 0
        for number in range(builds):
            wanted = number % 2
            (place / "pipeline.yaml").write_text(texts[wanted])
            for name, text in FOREIGN.items():
                (place / "generated" / name).parent.mkdir(parents=True, exist_ok=True)
                (place / "generated" / name).write_text(text)
            begun = time.monotonic()
            process = subprocess.Popen(
                COMMAND, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait(choose.uniform(0.5, 1.05) * took)
                took = time.monotonic() - begun
            except subprocess.TimeoutExpired:
                process.kill()
                stopped += process.wait() == -signal.SIGKILL
            checked, again = build(place, "--check"), build(place)
            left = tree(place / "generated")
            mine = {name: left.pop(name, b"").decode() for name in FOREIGN}
            if (
                checked.returncode not in (0, 1)
                or again.returncode
                or mine != FOREIGN
                or left != whole[wanted]
            ):
                print(
                    f"build {number}: {checked.returncode} {again.returncode}", checked.stderr, again.stderr
                )
                print(sorted(left.items() ^ whole[wanted].items())[:5])
                return 1
    print(f"{builds} builds, {stopped} of them killed: nothing torn, nothing lost, nothing left")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
