"""The reference of the language as one page, `docs/language.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlopsgen.language.base import Item
from mlopsgen.language.reference import bounds, docstrings, is_choice, is_later, key, submodel, type_name
from mlopsgen.language.writing import shown_default

_HEAD = """\
# The language of `pipeline.yaml`

One file describes one pipeline: its data, jobs, models and services, and how they reach AWS. This page lists
every key. `mlopsgen explain spec.services.replicas` prints the same on the command line, `mlopsgen schema` a
JSON Schema for editors (see [editor.md](editor.md)), and `mlopsgen render --env prod --defaults` what an
environment comes to.

This page is made from the compiler's own models; the tests see that it is current.

## Rules

- **One type per field.** Where something can be one of several things, it is a map in which exactly one of
  the keys marked **Choice** stands: `{efs: {}}` or `{existing: {…}}`. If none does, one with a default holds.
- **A thing that the file refers to is an item of a list and has a `name`**: a service, a bucket, a port, a
  route. **A name that a program or AWS sees is a key of a map**: `env`, `secrets`, `parameters`, `labels`.
- **The unit stands in the value**: `30s`, `2Gi`, `70%`, `20/s`. A bare number is a count.
- **What is left out has its default.** `null` is no word for that: in the base it is an error, and in an
  environment it takes away what the base says. In `parameters` and as a patch's `value` it is data.
- **Off is `enabled: false`** for what is there by default, and not writing it for everything else.
- **Some things are there without being declared**, once something uses them: the bucket `data`, the pools
  `fargate` and `fargate-spot`, the load balancers `public` and `internal`, the port `http`. Who declares one
  under that name says all of it.
- **Verbs give rights.** What a workload `reads`, `writes`, `loads` and `produces`, and its `secrets`, are all
  that it may touch.
- **Keys that are reserved** are known, and come later: using one says so.

## Values

| type | written as |
|---|---|
| name | lowercase letters, digits and single hyphens, first a letter; at most 32 characters |
| text | a string in which `${…}` is filled in, see below |
| string | a string as it stands |
| size | `512Mi`, `2Gi` or `1Ti` |
| cpu | vCPUs: `"1"`, `0.5` or `500m` |
| duration | `30s`, `15m`, `6h` or `90d` |
| latency | `250ms` or `2s` |
| percent | `70%` or `0.5%` |
| rate | `20/s` or `1200/m` |
| cron | five fields as in crontab: minute, hour, day of month, month, day of week |
| image | the `name` of an item of `spec.images`, or a reference with a tag or digest: `nginx:1.27` |
| peer | `10.0.0.0/16`, `sg-…` or `pl-…` |
| file | a path below the folder of `pipeline.yaml`; it does not begin with `-` or `/` |
| json | anything |

Scalars are those of YAML 1.2: `no` and `22:22` are strings. Digits with a leading zero stay a string as well,
so that an account such as `012345678901` keeps its zero. A string where a number belongs, or the other way
round, is an error and is not converted.

## `${…}`

In a text, `${environment}`, `${account}`, `${region}`, `${pipeline}` and the keys of `spec.variables` are
filled in when the file is compiled; the output holds the values. `${account}` needs `spec.aws.account`. A
name that is not known is an error. `$${` is a literal `${`, and any other `$` is itself. Strings, names and
quantities are never filled in, and neither are keys nor `parameters`: a shell's `$HOME` in `command` stays.

```yaml
spec:
  variables: {domain: staging.example.com}
  services:
    - name: api
      image: app
      env: {PUBLIC_URL: "https://app.${domain}", STAGE: "${environment}"}
```

## Environments

Each entry of `spec.environments` is the part of `spec` in which that environment differs. Maps merge, lists
of named things merge by `name`, and every other value takes the place of the one in the base. `null` takes
away what the base says, and the default holds again. Without any there is one environment, `default`.

An environment changes things; it neither adds nor removes a named one. A thing that only some environments
have stands in the base, with their names in its `environments`. Every thing that has a `name` takes that key.
`images`, `registry` and `delivery` are the same everywhere, since one build and one workflow serve all
environments; of them an environment may change `delivery.github.oidcProvider` alone.

```yaml
spec:
  images: [{name: app}, {name: probe}]
  services:
    - {name: api, image: app, replicas: {min: 2, max: 10, metrics: {cpu: 70%}}}
    - {name: probe, image: probe, environments: [dev]}   # dev alone has it
  environments:
    dev:
      services:
        - {name: api, replicas: {min: 1, max: null}}   # exactly one task
    prod:
      network: {vpc: {natGateways: perZone}}
```
"""


def page(root: type[BaseModel]) -> str:
    """The whole page, in Markdown, of a file whose model is `root`."""
    documented: dict[type[BaseModel], str] = {}
    return _HEAD + "\n## The file\n" + "".join(_section("", root, documented))


def entry(field: FieldInfo) -> dict[str, Any]:
    """What is to be said of a field besides its text: type, range, whether it must be given, default.

    And whether it is one of several choices, or not built yet.
    """
    return {
        "type": type_name(field.annotation, tuple(field.metadata)),
        "range": bounds(field),
        "required": field.is_required(),
        "default": shown_default(field),
        "choice": is_choice(field),
        "later": is_later(field),
    }


def _section(path: str, model: type[BaseModel], documented: dict[type[BaseModel], str]) -> Iterator[str]:
    """The table of a map's keys, and after it the sections of the maps in it."""
    texts = docstrings(model)
    documented[model] = path
    reserved: list[str] = []
    waiting: list[tuple[str, type[BaseModel]]] = []
    rows: list[str] = []
    for name, field in model.model_fields.items():
        word = key(name, field)
        if is_later(field):
            reserved.append(word)
            continue
        if issubclass(model, Item) and name == "environments":
            # What every named thing takes stands above, once.
            continue
        below, link = submodel(field.annotation), ""
        if below is not None and below.model_fields:
            at = f"{path}.{word}".lstrip(".")
            if below not in documented:
                waiting.append((at, below))
                documented[below] = at
            link = f" See [`{documented[below]}`](#{_anchor(documented[below])})."
        rows.append(
            f"| `{word}` | {_cell(field)} | {_said(field)} | {_meaning(field, texts.get(name, ''))}{link} |\n"
        )
    yield "\n| key | type | default | meaning |\n|---|---|---|---|\n"
    yield from rows
    if reserved:
        yield f"\nReserved, and not built yet: {', '.join(f'`{word}`' for word in reserved)}.\n"
    for at, below in waiting:
        text = " ".join((below.__doc__ or "").split())
        yield f"\n{'##' if at.count('.') < 2 else '###'} `{at}`\n\n{text}\n"
        yield from _section(at, below, documented)


def _meaning(field: FieldInfo, text: str) -> str:
    return f"Choice. {text}" if is_choice(field) else text


def _cell(field: FieldInfo) -> str:
    said = entry(field)
    return f"{said['type']}, {said['range']}" if said["range"] else str(said["type"])


def _said(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = shown_default(field)
    match value:
        case None:
            return ""
        case [{"name": _}, *_]:
            return ", ".join(f"`{item['name']}`" for item in value)
        case {**items} if items:
            return ", ".join(f"`{word}: {_flow(item)}`" for word, item in items.items())
        case _:
            return f"`{_flow(value)}`"


def _flow(value: Any) -> str:
    """A value on one line, as the file would have it."""
    match value:
        case dict():
            return "{" + ", ".join(f"{word}: {_flow(item)}" for word, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str() if not value[:1].isdigit() or value[-1:].isalpha() or value.endswith("%"):
            return value
        case _:
            return json.dumps(value)


def _anchor(path: str) -> str:
    """The heading's id, as GitHub makes it."""
    return path.replace(".", "").lower()
