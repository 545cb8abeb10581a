"""What a run is told, and the answers to what it cannot be told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from train.cli import main
from train.errors import Fault
from train.settings import TYPES, camel, from_environment, hyperparameters


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"epoch": 3}, "there is no hyperparameter `epoch`"),
        ({"epochs": "three"}, "`epochs` is not a whole number"),
        ({"epochs": 2.5}, "`epochs` is not a whole number"),
        ({"epochs": 0}, "`epochs` is not a whole number from 1 to 1000"),
        ({"epochs": True}, "`epochs` is not a whole number"),
        ({"epochs": None}, "`epochs` is not a whole number"),
        ({"epochs": [3]}, "`epochs` is not a whole number"),
        ({"learningRate": float("nan")}, "`learningRate` is not a number"),
        ({"precision": "fp8"}, "`precision` is not one of auto, fp32, bf16, fp16"),
        ({"tensorboard": "perhaps"}, "`tensorboard` is not true or false"),
        ({"model": 7}, "`model` is not a string"),
        ({"architecture": "gru"}, "there is no architecture `gru`"),
    ],
)
def test_a_wrong_hyperparameter_is_named(given: dict[str, object], says: str) -> None:
    """The fault names the hyperparameter, where it stands, and what it may be."""
    with pytest.raises(Fault) as caught:
        hyperparameters(given, {})
    assert says in caught.value.message
    assert caught.value.help


def test_a_near_miss_is_suggested() -> None:
    """A wrong name gets the nearest right one."""
    with pytest.raises(Fault) as caught:
        hyperparameters({"batch_size": 3}, {})
    assert caught.value.help == "did you mean `batchSize`?"


def test_options_win_and_architectures_differ() -> None:
    """The command line wins over PARAMETERS, which win over the architecture's own defaults."""
    settings = from_environment(
        {"PARAMETERS": '{"architecture": "transformer", "epochs": 4, "batchSize": 8}'},
        {"batch_size": "16"},
    )
    given = settings.hyperparameters
    assert (given.epochs, given.batch_size, given.max_tokens) == (4, 16, 512)
    assert hyperparameters({}, {}).max_tokens == 400


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PARAMETERS", "{", "PARAMETERS is no JSON"),
        ("PARAMETERS", "[]", "PARAMETERS is no JSON object"),
        ("PROMOTION", '{"policy": "now"}', "PROMOTION: `policy`"),
        ("PROMOTION", '{"minimum": {"accuracy": 0.5}}', "PROMOTION: there is no `minimum`"),
        ("PROMOTION", '{"metrics": 0.5}', "PROMOTION: `metrics` is no object of gates"),
        ("PROMOTION", '{"metrics": {"f1": 0.5}}', "the gate of `f1` is not made of `atLeast` and `atMost`"),
        ("PROMOTION", '{"metrics": {"f1": {}}}', "the gate of `f1` is not made of `atLeast` and `atMost`"),
        ("PROMOTION", '{"metrics": {"f1": {"maxDrop": 0.1}}}', "the gate of `f1` is not made of"),
        ("PROMOTION", '{"metrics": {"f1": {"atLeast": "high"}}}', "a bound of `f1` is no number"),
        ("PROMOTION", '{"metrics": {"f1": {"atMost": true}}}', "a bound of `f1` is no number"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, says: str) -> None:
    """What the environment says wrongly is named."""
    with pytest.raises(Fault) as caught:
        from_environment({name: value}, {})
    assert says in caught.value.message


@examples(deadline=None)
@given(st.dictionaries(st.sampled_from([camel(name) for name in TYPES]), st.none() | st.text() | st.floats()))
def test_no_value_breaks_the_reader(given: dict[str, object]) -> None:
    """Whatever a hyperparameter is given, the answer is settings or a fault."""
    try:
        settings = hyperparameters(given, {})
    except Fault:
        return
    json.dumps(settings.to_json(), allow_nan=False)


def test_usage_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong stages and missing places end with code 2 or 1 and words."""
    with pytest.raises(SystemExit) as caught:
        main(["fetsch", "--work", "x"])
    assert caught.value.code == 2
    with pytest.raises(SystemExit):
        main(["fetch"])
    assert "--work DIR" in capsys.readouterr().err
    monkeypatch.delenv("MODEL_URI", raising=False)
    assert main([]) == 1
    assert "MODEL_URI" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--tensorboard", "true"], "LOGS_URI"),
        (["--mlflow", "true"], "MLFLOW_TRACKING_URI"),
    ],
)
def test_tracking_is_checked_before_any_work(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tracking misses is said at once, and not after hours of training."""
    monkeypatch.delenv("LOGS_URI", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(["--output", "unused", *options]) == 1
    said = capsys.readouterr().out
    assert says in said
    assert "fetched" not in said
