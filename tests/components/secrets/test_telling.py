"""Names that tell of secrets."""

from __future__ import annotations

import pytest

from mlopsgen.components.secrets.rules import tells


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASS", "hunter2"),
        ("PGPASSWORD", "1234"),
        ("apiKey", "hunter2"),
        ("client-secret", "hunter2"),
        ("SESSION_SIGNING_KEY", "hunter2"),
        ("OPENAI_KEY", "hunter2"),
        ("HF_TOKEN", "hunter2"),
    ],
)
def test_name_tells_of_a_secret(name: str, value: str):
    """By its last word, and a key by the word before."""
    assert tells(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKEN", "512"),
        ("PAD_TOKEN", "[PAD]"),
        ("EOS_TOKEN", "eos"),
        ("USE_AUTH", "true"),
        ("PRIMARY_KEY", "id"),
        ("BYPASS", "x"),
        ("COMPASS", "north"),
        ("DB_SECRET", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1B2c3"),
        ("DB_PASSWORD", "$DB_PASSWORD"),
        ("PASSWORD_FILE", "/run/password"),
        ("TOKENIZER", "bert"),
        ("API_KEY", ""),
    ],
)
def test_name_or_value_is_harmless(name: str, value: str):
    """Numbers, paths, references and pieces of text are no secrets."""
    assert not tells(name, value)
