"""Modules that hold nothing but classes, each of which is made when something asks for it.

troposphere has a class for everything that a template can hold: a thousand are imported with the modules that
a build needs, and a hundred are used.
"""

from __future__ import annotations

import ast
import marshal
from collections.abc import Iterator
from functools import partial
from types import CodeType
from typing import Any, TypeAlias

Outline: TypeAlias = tuple[CodeType, dict[str, tuple[tuple[str, ...], bytes]]]
"""The code of a module's imports; then by the name of each class those that it mentions, and its own code."""


def outline(source: bytes, file: str) -> Outline | None:
    """A module in parts, or None if there is more in it than imports, and classes made by themselves."""
    tree = ast.parse(source)
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    others = [each for each in tree.body if not isinstance(each, ast.ClassDef)]
    distinct = len(classes) + len(others) == len(tree.body)
    if not (classes and distinct and all(map(_is_import, others))):
        return None
    if any(each.decorator_list for each in classes.values()):
        return None
    codes = {name: _compiled([each], file) for name, each in classes.items()}
    mentions = {name: {*_names(code)} & codes.keys() - {name} for name, code in codes.items()}
    parts = {name: (_before(name, mentions), marshal.dumps(code)) for name, code in codes.items()}
    return _compiled(others, file), parts


def fill(namespace: dict[str, Any], parts: Outline) -> None:
    """Run what a module imports, and let its classes be made once they are asked for."""
    imports, classes = parts
    exec(imports, namespace)
    namespace["__getattr__"] = partial(_made, namespace, classes)


def _made(namespace: dict[str, Any], classes: dict[str, tuple[tuple[str, ...], bytes]], name: str) -> Any:
    if name not in classes:
        raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
    for each in classes[name][0]:
        if each not in namespace:
            exec(marshal.loads(classes[each][1]), namespace)
    return namespace[name]


def _is_import(statement: ast.stmt) -> bool:
    """Whether it is an import of names that it says, or the docstring."""
    match statement:
        case ast.Import():
            return True
        case ast.ImportFrom(module=module, names=names):
            return module != "__future__" and all(each.name != "*" for each in names)
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case _:
            return False


def _compiled(statements: list[Any], file: str) -> CodeType:
    code: CodeType = compile(ast.Module(statements, []), file, "exec", dont_inherit=True)
    return code


def _names(code: CodeType) -> Iterator[str]:
    """Every name that the code mentions, however deep."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


def _before(name: str, mentions: dict[str, set[str]]) -> tuple[str, ...]:
    """The class, after all that it mentions, and they mention, in the order of the source."""
    found, waiting = {name}, [name]
    while waiting:
        new = mentions[waiting.pop()] - found
        found |= new
        waiting += new
    return tuple(each for each in mentions if each in found)
