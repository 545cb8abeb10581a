"""What a template's parameters are worth when it is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mlopsgen.motion.live import LiveStack
from mlopsgen.motion.outcome import Change
from mlopsgen.motion.rule import Rule, Said
from mlopsgen.motion.rules import cloudformation
from mlopsgen.motion.stacks import Delivery, Json, StackTemplate

_FROM_SSM = "AWS::SSM::Parameter::Value<"


class Given(NamedTuple):
    """The parameters of one deployment of one stack."""

    values: Mapping[str, Json]
    words: Mapping[str, str]
    """What was said for each: for one from SSM, the path."""
    said: tuple[tuple[Rule, Said], ...]


def given(
    entry: StackTemplate, live: LiveStack | None, delivery: Delivery, published: Mapping[str, Json]
) -> Given:
    """The parameters of a stack, and what is wrong with them. `published` are SSM's values by path.

    What a deployment does not pass stays as the stack has it; a new parameter has its default (AWS CLI,
    awscli/customizations/cloudformation/deploy.py: `UsePreviousValue` for all that is not overridden).
    """
    values: dict[str, Json] = {}
    words: dict[str, str] = {}
    said: list[tuple[Rule, Said]] = []
    declared = entry.template.get("Parameters")
    for name, each in declared.items() if isinstance(declared, dict) else ():
        assert isinstance(each, dict)
        kind, default = str(each.get("Type")), each.get("Default")
        from_ssm = kind.startswith(_FROM_SSM)
        word = f"${{given:{name}}}" if default is None else str(default)
        earlier = live.parameters.get(name) if live else None
        passed = default is None or (from_ssm and delivery.passes_parameters)
        if earlier is not None and earlier != word and not passed:
            change = Change(f"Parameters.{name}.Default", earlier, word)
            said.append((cloudformation.DEFAULT_IGNORED, cloudformation.ignored(name, change)))
            word = earlier
        words[name] = word
        values[name] = word
        if from_ssm:
            found = published.get(word)
            if found is None and not word.startswith("/aws/"):
                said.append((cloudformation.PATH_GONE, cloudformation.gone(name, word)))
            value = f"${{ssm:{word}}}" if found is None else found
            many = kind.removeprefix(_FROM_SSM).startswith(("List<", "CommaDelimitedList"))
            values[name] = [*value.split(",")] if many and isinstance(value, str) else value
    return Given(values, words, tuple(said))
