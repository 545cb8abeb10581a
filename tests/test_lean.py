"""Imports that the compiler shortens: whatever else runs in the process finds everything as it should be."""

from __future__ import annotations

import subprocess
import sys

import pytest

WHOLE = {
    "scalars": "import yaml; assert yaml.safe_load('[1.5, 0x1F, 2026-01-02, yes, ~, 1e3]')[:2] == [1.5, 31]",
    "dates": "import datetime, yaml; assert yaml.safe_load('2026-01-02') == datetime.date(2026, 1, 2)",
    "control characters": """
import yaml
try:
    yaml.load("a: \\x07", Loader=yaml.SafeLoader)
except yaml.reader.ReaderError as error:
    assert error.character == 7
else:
    raise AssertionError""",
    "expressions": "import re; assert isinstance(re.compile('a+b'), re.Pattern)",
    "typed dictionaries": """
import types, typing
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict
class Movie(TypedDict, total=False):
    year: int
assert typing.is_typeddict(types.new_class("Film", (typing.TypedDict,)))
try:
    TypeAdapter(Movie).validate_python({"year": "new"})
except ValidationError as error:
    assert error.errors()[0]["loc"] == ("year",)
else:
    raise AssertionError""",
    "secrets": "import secrets; assert len(secrets.token_hex(4)) == 8",
    "files": "import tempfile; assert tempfile.TemporaryFile().write(b'a') == 1",
    "source": """
import io, tokenize
assert next(tokenize.generate_tokens(io.StringIO("a").readline)).string == 'a'""",
    "the platform": "import platform, sys; assert platform.python_version() == sys.version.split()[0]",
    "the system": "import platform, os; assert platform.system() == os.uname().sysname",
    "troposphere's YAML": """
from troposphere import Template
template = Template()
template.set_description("a")
assert "Description: a" in template.to_yaml()""",
}


@pytest.mark.parametrize("after", [pytest.param(code, id=name) for name, code in WHOLE.items()])
def test_nothing_is_missed(after: str):
    code = f"import mlopsgen.compiler\n{after}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
