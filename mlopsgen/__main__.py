"""`python -m mlopsgen` is `mlopsgen`."""

import sys

from mlopsgen.cli import main

sys.exit(main())
