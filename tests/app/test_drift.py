"""Whether the texts of now are like those on which the model was measured."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from app.drift import HISTOGRAMS, LEAST, WINDOW, Baseline, Drift, Seen
from mlopsgen.components.services.observability import MEASURES
from tests.app.conftest import FIRST
from tests.app.models import finish, promote, publish
from tests.app.service import serving

BASELINE: dict[str, object] = {
    "labels": {"negative": 0.5, "positive": 0.5},
    "confidence": {"bounds": [0.7, 0.9], "shares": [0.25, 0.5, 0.25]},
    "tokens": {"bounds": [10, 100], "shares": [0.2, 0.6, 0.2]},
    "unknown": {"bounds": [0.5], "shares": [0.9, 0.1]},
}
LABELS = ("negative", "positive")
GOOD = Seen(["positive"], 0.8, 10, 0.0)
BAD = Seen(["negative"], 0.95, 3, 0.5)


def drift(*texts: Seen, **changes: object) -> Drift:
    """What has seen these texts."""
    found = Drift(Baseline.read(BASELINE | changes, LABELS))
    for each in texts:
        found.add(each)
    return found


def test_the_population_stability_index() -> None:
    """The sum over the bins of (now - then) ln(now / then); a bin without a text counts as half a text."""
    found = drift(*[GOOD] * 160, *[BAD] * 40).indices()
    empty = 0.5 / 200
    assert found == {
        "labels": pytest.approx(0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5)),
        "confidence": pytest.approx(
            (empty - 0.25) * math.log(empty / 0.25) + 0.3 * math.log(0.8 / 0.5) - 0.05 * math.log(0.2 / 0.25)
        ),
        "tokens": pytest.approx(0 + 0.2 * math.log(0.8 / 0.6) + (empty - 0.2) * math.log(empty / 0.2)),
        "unknown": pytest.approx(-0.1 * math.log(0.8 / 0.9) + 0.1 * math.log(0.2 / 0.1)),
    }


def test_texts_like_those_of_then() -> None:
    """They have not drifted."""
    texts = [Seen([LABELS[n % 2]], (0.6, 0.8, 0.8, 0.95)[n % 4], 50, 0.0) for n in range(400)]
    found = drift(*texts).indices()
    assert (found["labels"], found["confidence"]) == (0, 0)


def test_too_few_texts_say_nothing() -> None:
    """Chance alone would make an index of them."""
    assert drift(*[GOOD] * (LEAST - 1)).indices() == {}


def test_only_the_last_texts_count() -> None:
    """What was long ago is no news."""
    found = drift(*[GOOD] * WINDOW, *[BAD] * (WINDOW // 2), *[GOOD] * (WINDOW // 2))
    assert found.indices()["labels"] == 0
    assert found.indices() == drift(*[BAD] * (WINDOW // 2), *[GOOD] * (WINDOW // 2)).indices()


def test_labels_that_exclude_no_other() -> None:
    """Each is there or not: where all come too often together, that is drift as well."""
    shares = {"negative": 0.8, "positive": 0.8}
    none = drift(*[Seen(["negative"], 0.9, 10, 0.0)] * 200, labels=shares).indices()["labels"]
    both = drift(*[Seen(list(LABELS), 0.9, 10, 0.0)] * 200, labels=shares).indices()["labels"]
    same = [list(LABELS)] * 6 + [["negative"]] * 2 + [["positive"]] * 2
    still = drift(*[Seen(each, 0.9, 10, 0.0) for each in same * 20], labels=shares).indices()["labels"]
    assert (round(still, 6), both > 1, none > both) == (0, True, True)


def test_a_service_measures_it(tmp_path: Path) -> None:
    """For Prometheus, and for CloudWatch with the dimension `Measure`."""
    store = tmp_path / "store"
    finish(publish(store, FIRST), baseline=BASELINE)
    promote(store, FIRST)
    with serving(store, tmp_path, METRICS_NAMESPACE="imdb/dev") as running:
        assert "drift_psi{" not in running.client.get("/metrics").text
        for _ in range(4):
            running.predict(*["good"] * 60)
        lines = running.client.get("/metrics").text.splitlines()
        shown = {
            line.split(" ")[0]: float(line.split(" ")[1]) for line in lines if line.startswith("drift_psi{")
        }
        assert sorted(shown) == [
            f'drift_psi{{measure="{each}"}}' for each in ("confidence", "labels", "tokens", "unknown")
        ]
        assert shown['drift_psi{measure="labels"}'] > 2
        assert running.stop() == 0
        found = {each["Measure"]: each["Drift"] for each in running.lines() if "Drift" in each}
        assert found["labels"] == [pytest.approx(shown['drift_psi{measure="labels"}'], abs=1e-4)]


def test_the_dashboard_draws_what_the_service_measures() -> None:
    """Each measure, by the service's name for it."""
    assert set(MEASURES) == {"labels", *HISTOGRAMS}


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        ([], "`baseline` is no object"),
        ({"labels": {"positive": 1}}, "`baseline.labels` has to name the model's labels"),
        (BASELINE | {"labels": {"negative": "x", "positive": 1}}, "`baseline.labels` holds 'x'"),
        (BASELINE | {"labels": {"negative": 2, "positive": 1}}, "holds 2, which is no share"),
        (BASELINE | {"tokens": {"bounds": [1], "shares": [1]}}, "`baseline.tokens` needs `bounds`, and one"),
        (BASELINE | {"tokens": {"bounds": [2, 1], "shares": [1, 0, 0]}}, "`baseline.tokens.bounds` do not"),
    ],
)
def test_no_baseline(baseline: object, says: str) -> None:
    """What cannot be compared with is refused, and said to be."""
    with pytest.raises(ValueError, match=says.replace("(", "\\(")):
        Baseline.read(baseline, LABELS)
