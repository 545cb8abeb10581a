"""The project's own pipeline on this machine: the trainer in train/ and the service in app/."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.running import Load, Up, local, predict, processes, status, until

ROOT = Path(__file__).parents[2]

SMALL = ("--parameter", "architecture=bow", "--parameter", "buckets=12")

pytestmark = pytest.mark.xdist_group("pipeline")

QUALITIES = {
    "negative": ("dull", "awful", "boring", "weak"),
    "positive": ("superb", "moving", "funny", "great"),
}
THINGS = ("film", "plot", "cast", "score", "ending", "script", "camera", "story", "hero", "villain")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The pipeline, trained on reviews in a CSV file."""
    folder = tmp_path_factory.mktemp("pipeline")
    shutil.copy(ROOT / "pipeline.yaml", folder)
    for each in ("app", "train"):
        shutil.copytree(ROOT / each, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "reviews.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "label"))
        for label, words in QUALITIES.items():
            rows.writerows(
                (f"The {thing} was {word}, the {other} {again}.", label)
                for thing in THINGS
                for other in THINGS
                for word in words
                for again in words
                if thing < other and word <= again
            )
    running = Up(folder, "--port", "0", "--data", "reviews.csv", *SMALL)
    try:
        running.says("Ctrl-C stops all of it.")
        yield running
    finally:
        running.end()


def test_reviews_come_in_and_verdicts_go_out(up: Up) -> None:
    """Trained on what was uploaded, promoted by the pipeline's own minimum, served with page and verdicts."""
    assert "fetched  source=s3://imdb-sentiment-dev-data-123456789012/raw/" in up.output
    assert "accuracy 1" in up.output
    url = status(up.folder)["urls"]["public"]
    for label, words in QUALITIES.items():
        code, answer = predict(url, f"The music was {words[0]}, the dance {words[1]}.", seconds=None)
        assert (code, answer["label"]) == (200, label)
    assert '"label"' in local(up.folder, "predict", "A great film").stdout


def test_metrics_of_trainer_and_service_arrive(up: Up) -> None:
    """By embedded metric format, in the pipeline's namespace."""
    until(lambda: "accuracy" in " ".join(status(up.folder)["metrics"]).lower(), "the metrics have arrived")


def test_the_service_follows_a_new_version_under_load(up: Up) -> None:
    """`local train` publishes, promotes and replaces, and no request fails."""
    url = status(up.folder)["urls"]["public"]
    before = status(up.folder)["models"][0]["current"]
    with Load(url, threads=2, seconds=None, text="A great film") as load:
        trained = local(up.folder, "train", "--parameter", "architecture=bow", "--parameter", "seed=1")
        assert trained.returncode == 0, trained.stderr
        after = status(up.folder)["models"][0]["current"]
        until(lambda: load.versions[after] > 5, "the new version answers")
    assert after != before
    assert set(load.statuses) == {200}, load.statuses
    assert set(load.versions) == {before, after}


def test_ctrl_c_ends_it_in_good_order(up: Up) -> None:
    """Exit code 0, and no process is left."""
    assert up.interrupt() == 0, up.output
    assert processes(up.folder) == []
