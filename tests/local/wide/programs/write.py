"""A job that leaves a note in the file that it is told."""

import sys
from pathlib import Path

note = Path(sys.argv[1].removeprefix("--to="))
note.parent.mkdir(exist_ok=True)
note.write_text("remember")
print("written", flush=True)
