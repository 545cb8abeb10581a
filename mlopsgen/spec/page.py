"""The reference of the language as one page, `docs/language.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlopsgen.spec.pipeline import Pipeline
from mlopsgen.spec.quantities import parse_cpu, parse_duration, parse_latency, parse_memory
from mlopsgen.spec.reference import docstrings, submodel, type_name
from mlopsgen.spec.written import default, key, metadata

_WORDS = {
    parse_cpu: "CPU quantity",
    parse_duration: "duration",
    parse_latency: "latency",
    parse_memory: "amount of memory",
}

_HEAD = """\
# The language of `pipeline.yaml`

One file describes everything: `apiVersion`, `kind`, `metadata` and `spec`, as in Kubernetes. Keys are in
camelCase, lists hold named things, and a key that the language does not know, or that stands twice, is an
error. `mlopsgen explain spec.services` prints a part of this page, `mlopsgen schema` the language as JSON
Schema for editors (see [editor.md](editor.md)), and `mlopsgen render --env prod --defaults` what an
environment comes to.

This page is made from the compiler's own models; the tests see that it is current.

## Values

| type | written as |
|---|---|
| name | lowercase letters, digits and single hyphens, the first a letter, at most 32 characters |
| CPU quantity | vCPUs: `"1"`, `0.5` or `500m` |
| amount of memory | `512Mi`, `2Gi` or `1Ti` |
| duration | `30s`, `15m`, `6h` or `90d` |
| latency | `250ms` or `2s` |
| ARN | in full, without wildcards |

Scalars are those of YAML 1.2: `no` and `22:22` are strings. Digits with a leading zero stay a string as well,
so that an account such as `012345678901` keeps its zero. A string where a number belongs, or the other way
round, is an error and is not converted.

A key with the value `null` is as good as no key at all, except where this page says that `null` turns
something off.

## Environments

Each entry of `spec.environments` is the part of `spec` in which that environment differs. Maps merge, lists of
named things merge by `name`, every other value takes the place of the one in the base, and `null` deletes:
what is deleted has its default again. A thing whose `name` the base does not have is added.

```yaml
spec:
  services:
    - {name: api, replicas: {min: 2, max: 10}, scheduledScaling: [], image: {build: {context: app}}}
  environments:
    dev:
      services:
        - {name: api, replicas: {min: 1, max: 2}}   # the image stays as it is
    prod:
      network: {vpc: {natGateways: perZone}}
```
"""


def page() -> str:
    """The whole page, in Markdown."""
    documented: dict[type[BaseModel], str] = {}
    return _HEAD + "\n## The file\n" + "".join(_section("", Pipeline, documented))


def entry(field: FieldInfo) -> dict[str, Any]:
    """What is to be said of a field besides its text: type, range, whether it must be given, default."""
    return {
        "type": _type(field),
        "range": _range(field),
        "required": field.is_required(),
        "default": _default(field),
    }


def _type(field: FieldInfo) -> str:
    validators = (getattr(each, "func", None) for each in metadata(field))
    return next((_WORDS[each] for each in validators if each in _WORDS), type_name(field.annotation))


def _range(field: FieldInfo) -> str | None:
    """The bounds of a number, such as `1024 to 65535`."""
    low = next((each.ge for each in field.metadata if hasattr(each, "ge")), None)
    high = next((each.le for each in field.metadata if hasattr(each, "le")), None)
    if low is None or high is None:
        return None
    return f"{low:g} to {high:g}" if isinstance(high, float) else f"{low} to {high}"


def _default(field: FieldInfo) -> Any:
    """The default as the file would say it, or None where there is none worth saying."""
    value = None if field.is_required() else default(field)
    return None if value in ({}, []) else value


def _section(path: str, model: type[BaseModel], documented: dict[type[BaseModel], str]) -> Iterator[str]:
    """The table of a map's keys, and after it the sections of the maps in it."""
    texts = docstrings(model)
    documented[model] = path
    fields = {key(name, field): (texts.get(name, ""), field) for name, field in model.model_fields.items()}
    yield "\n| key | type | default | meaning |\n|---|---|---|---|\n"
    waiting: list[tuple[str, type[BaseModel]]] = []
    for word, (text, field) in fields.items():
        below, link = submodel(field.annotation), ""
        if below is not None:
            at = f"{path}.{word}".lstrip(".")
            if below not in documented:
                waiting.append((at, below))
                documented[below] = at
            link = f" See [`{documented[below]}`](#{_anchor(documented[below])})."
        yield f"| `{word}` | {_cell(field)} | {_said(field)} | {text}{link} |\n"
    for at, below in waiting:
        yield f"\n{'##' if at.count('.') < 2 else '###'} `{at}`\n\n{' '.join((below.__doc__ or '').split())}\n"
        yield from _section(at, below, documented)


def _cell(field: FieldInfo) -> str:
    bounds = _range(field)
    return f"{_type(field)}, {bounds}" if bounds else _type(field)


def _said(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = _default(field)
    match value:
        case None:
            return ""
        case str():
            return f"`{value}`"
        case list():
            return ", ".join(f"`{item['name']}`" for item in value)
        case dict():
            return ", ".join(f"`{word}: {item}`" for word, item in value.items())
        case _:
            return f"`{json.dumps(value)}`"


def _anchor(path: str) -> str:
    """The heading's id, as GitHub makes it."""
    return path.replace(".", "").lower()
