"""The YAML writer, against a reader that is not its own."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlopsgen.text.yaml import dump, scalar


class Reader(yaml.SafeLoader):
    """PyYAML, which reads YAML 1.1 as CloudFormation does, with tags kept as maps."""


def tagged(loader: Reader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            return {f"!{suffix}": loader.construct_scalar(node)}
        case yaml.SequenceNode():
            return {f"!{suffix}": loader.construct_sequence(node, deep=True)}
        case _:
            return {f"!{suffix}": loader.construct_mapping(node, deep=True)}


Reader.add_multi_constructor("!", tagged)

TEXT = st.text(st.characters(exclude_categories=("Cs",))) | st.text("ab: #-?\n'\"0123!&*|>%@`,[]{}~=yno\t ")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
KEYS = TEXT.filter(lambda key: not key.startswith("Fn::") and key not in ("Ref", "Condition"))
DOCUMENTS = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=12)
)


@settings(derandomize=True, max_examples=600, deadline=None)
@given(DOCUMENTS)
def test_what_is_written_is_what_is_read(document: dict[str, Any]):
    """No string becomes a number, a date or a comment; nothing is lost."""
    assert yaml.load(dump(document), Loader=Reader) == document or document == {}


@pytest.mark.parametrize(
    "text", ["no", "Yes", "0123", "1:30", "2026-01-01", "1e3", "~", "", "=", "- a", "a: b"]
)
def test_what_yaml_would_misread_is_quoted(text: str):
    assert scalar(text) == f'"{text}"'


@pytest.mark.parametrize("text", ["sentiment-api", "aws:SecureTransport", "arn:aws:s3:::x/*", "A b, c (d)"])
def test_what_is_plain_stays_plain(text: str):
    assert scalar(text) == text


def test_functions_take_their_short_form():
    """As a reviewer writes them; two short tags never stand one after the other."""
    document = {
        "a": {"Ref": "Vpc"},
        "b": {"Fn::GetAtt": ["Key", "Arn"]},
        "c": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
        "d": {"Fn::Base64": {"Fn::Sub": "${A}"}},
    }
    assert dump(document) == (
        'a: !Ref Vpc\nb: !GetAtt Key.Arn\nc: !Select\n  - 0\n  - !GetAZs ""\nd:\n  Fn::Base64: !Sub ${A}\n'
    )


def test_long_texts_stand_as_lines():
    assert dump({"script": "#!/bin/sh\nset -eu\n\nexit\n"}) == (
        "script: |\n  #!/bin/sh\n  set -eu\n\n  exit\n"
    )
