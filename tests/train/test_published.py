"""What a run leaves in the model store, for every architecture."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from tokenizers import Tokenizer

from app.drift import Baseline
from tests.train.conftest import Published

pytestmark = pytest.mark.xdist_group("published")


def test_manifest_follows_the_contract(published: Published) -> None:
    """The manifest has the contract's fields, and the version is its time and a digest."""
    manifest = published.manifest
    assert manifest["schema"] == "mlopsgen.io/model/v1"
    assert manifest["name"] == "sentiment"
    assert manifest["version"] == published.version.name
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", manifest["version"])
    assert manifest["version"].startswith(manifest["createdAt"].replace("-", "").replace(":", ""))
    assert manifest["task"] == "text-classification"
    assert manifest["labels"] == ["negative", "positive"]
    assert manifest["inputs"] == ["input_ids", "attention_mask"]
    assert manifest["tokenizer"] == "tokenizer.json"
    assert manifest["data"]["source"] == "synthetic"
    assert {"accuracy", "f1", "rocAuc"} <= manifest["metrics"].keys()
    assert set(manifest["runtime"].values()) <= manifest["files"].keys()


def test_the_service_can_compare_with_the_test_reviews(published: Published) -> None:
    """The manifest says how they were spread, in the form that the service reads."""
    baseline = published.manifest["baseline"]
    read = Baseline.read(baseline, published.manifest["labels"])
    metrics = json.loads((published.version / "metrics.json").read_text())
    (a, b), (c, d) = metrics["confusion"]
    assert read.labels == pytest.approx(
        {"negative": (a + c) / (a + b + c + d), "positive": (b + d) / (a + b + c + d)}
    )
    assert list(read.histograms) == ["confidence", "tokens", "unknown"]
    for each in read.histograms.values():
        assert sum(each.shares) == pytest.approx(1, abs=1e-4)
    assert read.histograms["confidence"].bounds[0] >= 0.5
    assert read.histograms["tokens"].bounds[-1] <= published.manifest["maxTokens"]


def test_files_are_those_of_the_manifest(published: Published) -> None:
    """Every file has the digest and size that the manifest says, and there is no other file."""
    files = {path.name: path for path in published.version.iterdir() if path.name != "manifest.json"}
    assert files.keys() == published.manifest["files"].keys()
    for name, facts in published.manifest["files"].items():
        content = files[name].read_bytes()
        assert hashlib.sha256(content).hexdigest() == facts["sha256"]
        assert len(content) == facts["bytes"]


def test_no_file_is_a_pickle(published: Published) -> None:
    """No published or kept file starts as a pickle or is a zip archive that could hold one."""
    for path in (path for path in published.folder.rglob("*") if path.is_file()):
        assert path.read_bytes()[:2] not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"), path


def test_a_reader_needs_no_architecture(published: Published) -> None:
    """Tokenizer and ONNX alone say what a review is, padded or not, alone or in a batch."""
    tokenizer = Tokenizer.from_file(str(published.version / "tokenizer.json"))
    session = onnxruntime.InferenceSession(published.version / published.manifest["runtime"]["onnx"])
    texts = ["What a superb script! The acting is wonderful.<br />Ten out of ten.", "Awful.", "", "zzzz qqqq"]
    rows = [tokenizer.encode(text).ids or [0] for text in texts]
    width = max(map(len, rows))
    ids = np.array([row + [0] * (width - len(row)) for row in rows], np.int64)
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], np.int64)
    together = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]
    assert together.dtype == np.float32
    assert together.shape == (4, 2)
    for row, logits in zip(rows, together, strict=True):
        given = {"input_ids": np.array([row], np.int64), "attention_mask": np.ones((1, len(row)), np.int64)}
        assert np.allclose(session.run(["logits"], given)[0][0], logits, atol=1e-4)


def test_onnx_answers_as_the_trained_model(published: Published) -> None:
    """The run itself checked ONNX against the framework on the test reviews."""
    metrics = json.loads((published.version / "metrics.json").read_text())
    assert metrics["onnx"]["agreement"] >= 0.999
    if "onnxInt8" in published.manifest["runtime"]:
        assert metrics["onnx"]["int8"]["loss"] <= metrics["onnx"]["int8"]["bound"]


def test_graph_is_fused(published: Published) -> None:
    """A transformer's attention is one operator a layer; nothing is left for a server to optimise."""
    if published.manifest["architecture"] == "transformer":
        kinds = [node.op_type for node in onnx.load(published.version / "model.onnx").graph.node]
        assert kinds.count("Attention") == 2
        assert "Softmax" not in kinds


def test_report_needs_no_other_file(published: Published) -> None:
    """The report is one page with its plots inside, and the plots are PNG files beside the logs."""
    page = (published.version / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') >= 3
    assert 'src="http' not in page
    assert f"{published.manifest['metrics']['accuracy']:.4f}" in page
    plots = list((published.folder / "logs" / "sentiment" / published.version.name).glob("*.png"))
    assert {plot.name for plot in plots} >= {"confusion.png", "calibration.png", "slices.png"}
    assert all(plot.read_bytes().startswith(b"\x89PNG") for plot in plots)


def test_metrics_are_embedded_in_the_log(published: Published) -> None:
    """CloudWatch finds accuracy by model in the pipeline's namespace."""
    embedded = [line for line in published.ended.lines if "_aws" in line]
    (final,) = [line for line in embedded if "Accuracy" in line]
    (directive,) = final["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "imdb/dev"
    assert directive["Dimensions"] == [["Model"]]
    assert final["Model"] == "sentiment"
    assert final["Accuracy"] == published.manifest["metrics"]["accuracy"]
    assert all(metric["Name"] in final for metric in directive["Metrics"])


def test_metrics_fit_together(published: Published) -> None:
    """Confusion, slices and calibration count every test review once, and give the same accuracy."""
    metrics = json.loads((published.version / "metrics.json").read_text())
    count = published.manifest["data"]["test"]
    (right_negative, _), (_, right_positive) = metrics["confusion"]
    assert sum(map(sum, metrics["confusion"])) == count
    assert metrics["accuracy"] == pytest.approx((right_negative + right_positive) / count)
    for parts in (metrics["slices"], metrics["calibration"]):
        assert sum(part["reviews"] for part in parts) == count
        total = sum(part["reviews"] * part["accuracy"] for part in parts)
        assert total / count == pytest.approx(metrics["accuracy"])


def test_it_learned(published: Published) -> None:
    """Even a small run does better than a coin."""
    least = {"bow": 0.75, "lstm": 0.6, "transformer": 0.4}[published.manifest["architecture"]]
    assert published.manifest["metrics"]["accuracy"] > least


def test_log_holds_no_review(published: Published) -> None:
    """No line of the log holds a review's text."""
    from train.sources import synthetic

    given = published.manifest["hyperparameters"]
    reviews = synthetic.reviews(given["syntheticTrain"], given["syntheticTest"])
    said = json.dumps(published.ended.lines)
    assert not any(review.text[:40] in said for review in reviews.train)


def test_weights_load_again(published: Published) -> None:
    """The weights are safetensors that a reader can open without the trainer."""
    from safetensors.numpy import load_file

    assert load_file(published.version / "model.safetensors")
    assert Path(published.version / "model.json").exists()


def test_tensorboard_gets_events(published: Published) -> None:
    """With the hyperparameter set, an event file lies below the logs; without it there is none."""
    events = list((published.folder / "logs").rglob("events.out.tfevents.*"))
    assert len(events) == published.manifest["hyperparameters"]["tensorboard"]
