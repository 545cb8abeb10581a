"""`python -m tests.editor.check COMMAND…`: what an editor says, by the YAML language server that it starts.

`faults.txt` holds what is said of `faults.yaml`; with `--bless` in front it is written. Ends with 1 if
something else is said, if an example of ours has a fault, or if what is inserted for a key cannot be right.
"""

from __future__ import annotations

import difflib
import json
import sys
import tempfile
from pathlib import Path

from mlopsgen.language.schema import schema
from mlopsgen.model.pipeline import Pipeline
from tests.cases import KNOWN
from tests.editor.server import Server

HERE = Path(__file__).parent
FAULTS = HERE / "faults.yaml"
SAID = HERE / "faults.txt"
SERVICE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  services:
    - name: api
      image: app
      \n"""
"""A service that ends where its next key is typed."""


def main(command: list[str]) -> int:
    """The exit code."""
    bless = command[0] == "--bless"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.schema.json"
        file.write_text(json.dumps(schema(Pipeline)))
        with Server(command[bless:], file) as server:
            said = "".join(f"{line}\n" for line in server.faults(FAULTS.read_text()))
            wrong = [
                f"{each.name}: {line}" for each in KNOWN for line in server.faults(each.pipeline.read_text())
            ]
            offered = server.completions(SERVICE, 9, 7)
    if bless:
        SAID.write_text(said)
    wrong += difflib.unified_diff(
        SAID.read_text().splitlines(), said.splitlines(), "expected", "said", lineterm=""
    )
    wrong += [f"inserts {text!r}" for text in offered.values() if "object Object" in text]
    wrong += [f"does not offer {key}" for key in ("loads", "ports", "replicas") if key not in offered]
    wrong += [f"offers {key}" for key in ("calls", "environment", "livenessProbe") if key in offered]
    print("\n".join(wrong) or f"{len(said.splitlines())} faults are told as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
