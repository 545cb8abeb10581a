"""The docstrings under the fields of the language's models, and under the names of its types.

pydantic could read the former too, but reads each module's source whenever it is imported; here that happens
only when somebody asks.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel


@cache
def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each field of `model` and of its bases, by the field's name in Python."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseModel) or base is BaseModel:
            continue
        for statement in _source(base.__module__).body:
            if isinstance(statement, ast.ClassDef) and statement.name == base.__name__:
                for field, text in pairwise(statement.body):
                    match field, text:
                        case (
                            ast.AnnAssign(target=ast.Name(id=name)),
                            ast.Expr(value=ast.Constant(value=str(docstring))),
                        ):
                            found[name] = " ".join(docstring.split())
    return found


@cache
def forms() -> dict[str, str]:
    """What a text of each named form looks like, by the form's pattern: the docstring under its name."""
    found: dict[str, str] = {}
    for name, module in sorted(sys.modules.items()):
        if not name.startswith(("mlopsgen.language.", "mlopsgen.sections.")):
            continue
        for assignment, text in pairwise(_source(name).body):
            match assignment, text:
                case (
                    ast.Assign(targets=[ast.Name(id=alias)]),
                    ast.Expr(value=ast.Constant(value=str(docstring))),
                ):
                    for pattern in _patterns(getattr(module, alias)):
                        found[pattern] = " ".join(docstring.split())
    return found


@cache
def _source(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))


def _patterns(annotation: Any) -> Iterator[str]:
    for mark in get_args(annotation)[1:]:
        for each in getattr(mark, "metadata", ()):
            if isinstance(pattern := getattr(each, "pattern", None), str):
                yield pattern
