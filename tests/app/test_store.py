"""Models in a folder or a bucket: what is used, what is refused, and how a newer one takes over."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from app import model
from app.manifest import Wanted
from app.model import Model, load
from app.settings import Settings
from app.store import Folder, Unusable
from tests.app.conftest import FIRST, SECOND
from tests.app.models import finish, pointer, promote, publish
from tests.app.s3 import BUCKET, Bucket, bucket
from tests.app.service import Running, serving, until

URI = f"s3://{BUCKET}/models/sentiment/"


@pytest.fixture(scope="module")
def _bucket() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


@pytest.fixture
def s3(_bucket: Bucket) -> Iterator[Bucket]:
    """A bucket that works, unless a test says otherwise; what a test puts there is deleted after it."""
    yield _bucket
    weather = _bucket.weather
    weather.status, weather.cut, weather.only = None, None, ""
    weather.clear.set()
    client = _bucket._client()
    for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        _bucket.delete(each["Key"])


def failure(running: Running, version: str | None) -> str:
    """Why the wanted version is not in use, once that is known."""

    def known() -> bool:
        return any(line["wanted"] == version for line in running.lines("model refused"))

    until(known)
    return next(line["reason"] for line in running.lines("model refused") if line["wanted"] == version)


def corrupt(file: Path) -> None:
    """Change one byte in the middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def edit(folder: Path, **changes: object) -> None:
    """Change what the manifest says; None deletes."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))


PANIC = {
    "version": "1.0",
    "added_tokens": [],
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}],
        "pair": [],
        "special_tokens": {},
    },
    "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"},
}
"""A tokenizer that names a token and does not say which it is."""

BAD = {
    "a changed model": (lambda f: corrupt(f / "model.onnx"), "model.onnx is not what was published"),
    "a changed tokenizer": (lambda f: corrupt(f / "tokenizer.json"), "tokenizer.json is not what was"),
    "a changed report": (lambda f: corrupt(f / "metrics.json"), "metrics.json is not what was published"),
    "half a model": (
        lambda f: (f / "model.onnx").write_bytes((f / "model.onnx").read_bytes()[:300]),
        "it has 300 bytes",
    ),
    "a missing file": (lambda f: (f / "model.onnx").unlink(), "model.onnx does not exist"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "was never finished, or its name is wrong"),
    "an empty manifest": (lambda f: (f / "manifest.json").write_text(""), "manifest.json is no JSON"),
    "half a manifest": (lambda f: (f / "manifest.json").write_text('{"schema": "'), "is no JSON"),
    "a list as manifest": (lambda f: (f / "manifest.json").write_text("[]"), "is no JSON object"),
    "a huge manifest": (lambda f: (f / "manifest.json").write_text(" " * 2_000_000), "is larger than"),
    "another schema": (lambda f: edit(f, schema="v2"), "`schema` is 'v2', not 'mlopsgen.io/model/v1'"),
    "another model": (lambda f: edit(f, name="spam"), "`name` is 'spam', not 'sentiment'"),
    "another version": (lambda f: edit(f, version="x"), "`version` is 'x'"),
    "no labels": (lambda f: edit(f, labels=None), "`labels` is missing"),
    "one label": (lambda f: edit(f, labels=["good"]), "`labels` needs two or more"),
    "three labels": (lambda f: edit(f, labels=["a", "b", "c"]), "does not answer with a number for each of"),
    "no length": (lambda f: edit(f, maxTokens=0), "`maxTokens` is no number of tokens"),
    "unknown inputs": (lambda f: edit(f, inputs=["token_type_ids"]), "`inputs` may name"),
    "too few inputs": (lambda f: edit(f, inputs=["input_ids"]), "model.onnx takes attention_mask, input_ids"),
    "no graph": (lambda f: edit(f, runtime={}), "has no onnxInt8 or onnx in `runtime`"),
    "an unlisted graph": (lambda f: edit(f, runtime={"onnx": "../model.onnx"}), "is not listed in `files`"),
    "a file elsewhere": (lambda f: edit(f, files={"../x.onnx": {}}), "is no plain file name"),
    "no digest": (lambda f: edit(f, files={"model.onnx": {"bytes": 3}}), "model.onnx has no `sha256`"),
    "a pickle": (
        lambda f: ((f / "model.pkl").write_bytes(b"\x80\x04."), finish(f)),
        "of its kind no file is loaded (pickle can run code)",
    ),
    "no ONNX": (
        lambda f: ((f / "model.onnx").write_bytes(b"no graph"), finish(f)),
        "is no graph that ONNX Runtime can run",
    ),
    "a tokenizer at which its library panics": (
        lambda f: ((f / "tokenizer.json").write_text(json.dumps(PANIC)), finish(f)),
        "cannot be loaded: no entry found for key",
    ),
    "no tokenizer": (
        lambda f: ((f / "tokenizer.json").write_text("{}"), finish(f)),
        "tokenizer.json is no tokenizer",
    ),
}


def test_newer_versions_that_cannot_be_used(tmp_path: Path) -> None:
    """Whatever is wrong with a newer version, the reason is told and the old one goes on answering."""
    store = tmp_path / "store"
    publish(store, FIRST)
    with serving(store, tmp_path, POLL_SECONDS="0.1") as running:
        for number, (name, (spoil, reason)) in enumerate(BAD.items()):
            version = f"v{number}"
            spoil(publish(store, version, flip=True, current=False))
            promote(store, version)
            assert reason in failure(running, version), name
            assert running.predict("good").json()["model"] == FIRST, name
            # Back to what works: the next fault is looked at without the delay of repeated tries.
            promote(store, FIRST)
            until(lambda: running.client.get("/model").json()["failure"] is None)
        assert "model_failing 0.0" in running.client.get("/metrics").text


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": "../other"}', '{"version": 3}', '{"version": "v"}', "\xff"]
)
def test_current_that_points_nowhere(tmp_path: Path, content: str) -> None:
    """A `current.json` that names no version changes nothing for a service that has a model."""
    store = tmp_path / "store"
    publish(store, FIRST)
    with serving(store, tmp_path, POLL_SECONDS="0.1") as running:
        (store / "current.json").write_text(content, encoding="latin-1")
        assert "current.json" in failure(running, None)
        outside = running.client.get("/model", headers={"X-Forwarded-For": "203.0.113.9"}).json()
        assert outside["failure"] == {"version": None, "reason": "the log says why"}
        assert running.predict("good").status_code == 200


def test_what_is_written_over_a_promoted_version_is_refused(tmp_path: Path) -> None:
    """A service that starts refuses a manifest that was not promoted, though it fits its files."""
    store = tmp_path / "store"
    promoted = pointer(store, publish(store, FIRST).name)
    with serving(store, tmp_path, POLL_SECONDS="0.1") as running:
        shutil.rmtree(store / FIRST)
        publish(store, FIRST, flip=True, current=False)
        assert running.predict("good").json()["label"] == "positive"
    with serving(store, tmp_path, ready=False, POLL_SECONDS="0.1") as running:
        assert (
            f"is not what was promoted: its digest is {pointer(store, FIRST)['manifestSha256']}"
            in failure(running, FIRST)
        )
        assert json.loads((store / "current.json").read_text()) == promoted
        promote(store, FIRST)
        until(lambda: running.client.get("/ready").status_code == 200)
        assert running.predict("good").json()["label"] == "negative"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"task": "image-segmentation"}, "`task` is 'image-segmentation'; this program serves text-class"),
        ({"activation": "relu"}, "`activation` is neither softmax nor sigmoid"),
    ],
)
def test_a_model_for_something_else_is_refused(changes: dict[str, str], says: str, tmp_path: Path) -> None:
    """A store may hold models of any kind: this program says which it does not serve, and why."""
    store = tmp_path / "store"
    finish(publish(store, FIRST, current=False), **changes)
    promote(store, FIRST)
    with serving(store, tmp_path, ready=False) as running:
        assert says in failure(running, FIRST)


def test_no_version_yet(tmp_path: Path) -> None:
    """Before the first promotion the service lives, says what it lacks, and begins as soon as it is there."""
    store = tmp_path / "store"
    with serving(store, tmp_path, ready=False) as running:
        until(lambda: running.lines("model refused"))
        answer = running.client.get("/ready")
        assert (answer.status_code, "no version has been promoted yet" in answer.text) == (503, True)
        assert int(answer.headers["retry-after"]) >= 1
        assert running.predict("good").json()["code"] == "not_ready"
        assert running.client.get("/health").status_code == 200
        publish(store, FIRST)
        until(lambda: running.client.get("/ready").status_code == 200)
        assert running.predict("good").json()["model"] == FIRST


def test_named_version(tmp_path: Path) -> None:
    """With MODEL_VERSION set, that version answers whatever `current.json` says."""
    store = tmp_path / "store"
    publish(store, FIRST)
    publish(store, SECOND, flip=True)
    with serving(store, tmp_path, MODEL_VERSION=FIRST) as running:
        answer = running.predict("good").json()
        assert (answer["label"], answer["model"]) == ("positive", FIRST)


def test_swap_under_load(tmp_path: Path) -> None:
    """While versions change back and forth, every request is answered, as the version it names would."""
    store = tmp_path / "store"
    publish(store, FIRST)
    publish(store, SECOND, flip=True, current=False)
    right = {FIRST: "positive", SECOND: "negative"}
    seen: set[str] = set()
    wrong: list[str] = []
    over = threading.Event()

    with serving(store, tmp_path, POLL_SECONDS="0.1") as running:

        def ask() -> None:
            while not over.is_set():
                answer = running.predict("good")
                body = answer.json()
                if answer.status_code != 200 or right[body["model"]] != body["label"]:
                    wrong.append(answer.text)
                else:
                    seen.add(body["model"])

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for version in (SECOND, FIRST, SECOND):
                promote(store, version)
                until(lambda version=version: running.predict("good").json()["model"] == version)
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert (wrong, seen) == ([], {FIRST, SECOND})


def loaded(store: Path) -> Model:
    """The first version, loaded within this process."""
    return load(Folder(store), Wanted(FIRST, None), Settings(model_name="sentiment", model_uri=str(store)))


def outsource(folder: Path) -> None:
    """Put the graph's weights into a file beside it."""
    graph = onnx.load(str(folder / "model.onnx"))
    onnx.save_model(
        graph, str(folder / "model.onnx"), save_as_external_data=True, location="model.onnx_data",
        size_threshold=60,
    )  # fmt: skip


def test_weights_in_a_file_of_their_own(tmp_path: Path, s3: Bucket) -> None:
    """Large graphs keep their weights beside them: listed in the manifest, they are fetched and digested."""
    outsource(folder := publish(tmp_path / "store", FIRST))
    finish(folder)
    promote(tmp_path / "store", FIRST)
    s3.upload(tmp_path / "store")
    with serving(URI, tmp_path, **s3.variables()) as running:
        assert running.predict("good").json()["label"] == "positive"


def test_weights_that_are_not_listed(tmp_path: Path) -> None:
    """What has no digest is not loaded, though it lies beside the graph."""
    outsource(folder := publish(tmp_path, FIRST))
    weights = folder / "model.onnx_data"
    data = weights.read_bytes()
    weights.unlink()
    finish(folder)
    weights.write_bytes(data)
    with pytest.raises(Unusable, match="is no graph that ONNX Runtime can run"):
        loaded(tmp_path)


def test_a_graph_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up after a while, so that it keeps no later version out."""
    folder = publish(tmp_path, FIRST)
    graph = onnx.load(str(folder / "model.onnx"))
    turns = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Identity", ["one"], ["other"]),
        ],
        "turns",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("one", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("other", TensorProto.FLOAT, None),
        ],
    )
    graph.graph.node[-1].output[0] = "ready"
    graph.graph.node.append(helper.make_node("Loop", ["turns", "yes", "ready"], ["logits"], body=turns))
    graph.graph.initializer.append(helper.make_tensor("turns", TensorProto.INT64, [], [1 << 62]))
    graph.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    finish(folder)
    monkeypatch.setattr(model, "PROBE_SECONDS", 0.1)
    with pytest.raises(Unusable, match=f"version {FIRST} gave no answer within 0.1 s"):
        loaded(tmp_path)


def test_bucket(tmp_path: Path, s3: Bucket) -> None:
    """A model in S3 is loaded, verified and followed, and leaves no file behind."""
    store, scratch = tmp_path / "store", tmp_path / "scratch"
    scratch.mkdir()
    publish(store, FIRST)
    s3.upload(store)
    with serving(URI, scratch, **s3.variables()) as running:
        assert running.predict("good").json()["model"] == FIRST
        publish(store, SECOND, flip=True)
        s3.upload(store)
        until(lambda: running.predict("good").json()["model"] == SECOND)
        assert running.predict("good").json()["label"] == "negative"
        assert [path for path in scratch.iterdir() if path.is_dir()] == []


def test_region(tmp_path: Path, s3: Bucket) -> None:
    """Requests go to the region that AWS_REGION names, as ECS sets it."""
    publish(tmp_path / "store", FIRST)
    s3.upload(tmp_path / "store")
    s3.weather.signed.clear()
    with serving(URI, tmp_path, **s3.variables()):
        assert s3.weather.signed == {"eu-west-1"}


def test_bucket_with_half_an_upload(tmp_path: Path, s3: Bucket) -> None:
    """A version of which a part is still missing is not used; once complete, it is."""
    store = tmp_path / "store"
    publish(store, FIRST)
    s3.upload(store)
    with serving(URI, tmp_path, **s3.variables()) as running:
        publish(store, SECOND)
        s3.upload(store)
        s3.delete(f"models/sentiment/{SECOND}/model.onnx")
        s3.put("models/sentiment/current.json", json.dumps(pointer(store, SECOND)).encode())
        until(lambda: running.predict("good").json()["model"] == SECOND or running.lines("model refused"))
        if running.lines("model refused"):
            assert "model.onnx does not exist (NoSuchKey)" in failure(running, SECOND)
            s3.upload(store)
        until(lambda: running.predict("good").json()["model"] == SECOND)


def test_bucket_that_fails_at_first(tmp_path: Path, s3: Bucket) -> None:
    """A service that starts while S3 answers with errors says so, and begins when they end."""
    store = tmp_path / "store"
    publish(store, FIRST)
    s3.upload(store)
    s3.weather.status = 503
    with serving(URI, tmp_path, ready=False, **s3.variables()) as running:
        until(lambda: running.lines("model refused"))
        answer = running.client.get("/ready")
        assert (answer.status_code, "current.json cannot be read: 503" in answer.text) == (503, True)
        s3.weather.status = None
        until(lambda: running.client.get("/ready").status_code == 200)


@pytest.mark.parametrize(
    ("weather", "reason"),
    [
        ({"status": 500, "only": "model.onnx"}, "model.onnx cannot be read: 500"),
        ({"status": 403, "only": "manifest.json"}, "manifest.json cannot be read: 403"),
        ({"cut": 300, "only": "model.onnx"}, "model.onnx cannot be read: "),
    ],
    ids=["error", "forbidden", "cut off"],
)
def test_bucket_that_fails_later(tmp_path: Path, s3: Bucket, weather: dict[str, object], reason: str) -> None:
    """While a newer version cannot be read from S3 the old one answers; afterwards the newer one does."""
    store = tmp_path / "store"
    publish(store, FIRST)
    s3.upload(store)
    with serving(URI, tmp_path, **s3.variables()) as running:
        for name, value in weather.items():
            setattr(s3.weather, name, value)
        publish(store, SECOND)
        s3.upload(store)
        assert reason in failure(running, SECOND)
        assert running.predict("good").json()["model"] == FIRST
        s3.weather.status = s3.weather.cut = None
        until(lambda: running.predict("good").json()["model"] == SECOND)


def test_slow_bucket(tmp_path: Path, s3: Bucket) -> None:
    """While S3 answers slowly, requests do not wait for it."""
    store = tmp_path / "store"
    publish(store, FIRST)
    s3.upload(store)
    with serving(URI, tmp_path, **s3.variables()) as running:
        s3.weather.only = "model.onnx"
        s3.weather.clear.clear()
        publish(store, SECOND)
        s3.upload(store)
        wanted = f"{SECOND}/model.onnx"
        until(lambda: any(path.endswith(wanted) for path in s3.weather.seen))
        assert running.predict("good").json()["model"] == FIRST
        s3.weather.clear.set()
        until(lambda: running.predict("good").json()["model"] == SECOND)


def test_bucket_that_is_not_there(tmp_path: Path, s3: Bucket) -> None:
    """A bucket that does not exist is named."""
    with serving("s3://no-such-bucket/models/", tmp_path, ready=False, **s3.variables()) as running:
        until(lambda: running.lines("model refused"))
        assert (
            "s3://no-such-bucket/models/current.json does not exist (NoSuchBucket)"
            in running.client.get("/ready").text
        )
        # Nobody outside learns where models lie.
        for path in ("/ready", "/v2/health/ready", "/model"):
            answer = running.client.get(path, headers={"X-Forwarded-For": "203.0.113.9"})
            assert (answer.status_code, "s3://" in answer.text) == (503, False)


def test_file_uri(tmp_path: Path) -> None:
    """A folder may be given as `file:///`, with spaces."""
    publish(tmp_path / "my models", FIRST)
    with serving((tmp_path / "my models").as_uri(), tmp_path) as running:
        assert running.predict("good").status_code == 200
