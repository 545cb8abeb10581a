"""What a finished part of a template refers to in the same template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mlopsgen.document import Document, Read, TemplateResource


def waits_for(resource: TemplateResource | Mapping[str, Document]) -> set[str]:
    """What CloudFormation makes before a resource: what it says, and what its properties refer to."""
    said = resource.get("DependsOn")
    depends = said if isinstance(said, list) else [said]
    return {*(each for each in depends if isinstance(each, str)), *referred(resource.get("Properties"))}


def referred(value: Read) -> Iterator[str]:
    """The names that `Ref`, `Fn::GetAtt` and `Fn::Sub` take, in order."""
    if isinstance(value, dict) and len(value) == 1:
        match value:
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
                yield name
                return
            case {"Fn::Sub": str(text)}:
                yield from _substituted(text, frozenset())
                return
            case {"Fn::Sub": [str(text), dict(own)]}:
                yield from _substituted(text, frozenset(own))
                yield from referred(own)
                return
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            # Most values are texts: asking each what it refers to would take longer than all else here.
            if isinstance(each, dict | list):
                yield from referred(each)


def _substituted(text: str, own: frozenset[str]) -> Iterator[str]:
    for name in re.findall(r"\$\{([^!}][^}]*)\}", text):
        # IAM's own variables, such as ${aws:username}, are not CloudFormation's.
        if name not in own and not name.startswith("aws:"):
            yield name.partition(".")[0]
