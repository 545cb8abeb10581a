"""The chatbot: from labelled questions to a conversation over HTTP."""

from __future__ import annotations

import csv
import json
import socket
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tests.examples import harness

pytestmark = pytest.mark.xdist_group("chatbot")

SETTINGS = {"checkpoint": "tiny", "epochs": 6, "learningRate": 0.005, "batchSize": 16}
KEY = "a key for tests alone"


WORDS = (
    "track order parcel box news return send shoes lamp refund money address street postcode change "
    "correct update open hours sunday today noon talk person agent human where when is my the a me to it"
)


def checkpoint(folder: Path) -> None:
    """Write an untrained DistilBERT of two small layers, as people put a checkpoint into `raw/`.

    Importing transformers here would cost more than all the rest.
    """
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS.split()]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    wide, size = 64, {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "vocab_size": len(vocabulary)}
    (folder / "config.json").write_text(json.dumps({"model_type": "distilbert", **size}))
    rng = np.random.default_rng(1)
    shapes = {
        "embeddings.word_embeddings": (len(vocabulary), 32),
        "embeddings.position_embeddings": (512, 32),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in ("transformer.layer.0", "transformer.layer.1"):
        shapes |= {f"{layer}.attention.{name}_lin": (32, 32) for name in ("q", "k", "v", "out")}
        shapes |= {f"{layer}.ffn.lin1": (wide, 32), f"{layer}.ffn.lin2": (32, wide)}
        norms += [f"{layer}.sa_layer_norm", f"{layer}.output_layer_norm"]
    tensors = {f"{name}.weight": rng.normal(0, 0.02, shape) for name, shape in shapes.items()}
    tensors |= {f"{name}.bias": np.zeros(shape[0]) for name, shape in shapes.items() if "_emb" not in name}
    tensors |= {f"{name}.weight": np.ones(32) for name in norms} | {f"{n}.bias": np.zeros(32) for n in norms}
    weights = {f"distilbert.{name}": tensor.astype(np.float32) for name, tensor in tensors.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A store with one version, fine-tuned on the synthetic questions."""
    folder = tmp_path_factory.mktemp("desk")
    environment = harness.store(folder, **SETTINGS)
    checkpoint(folder / "raw" / "tiny")
    ended = harness.run("chatbot/train", environment)
    assert ended.status == 0
    return environment


def test_learns_intents(desk: dict[str, str]) -> None:
    """Fine-tuning beats the share of the largest intent by far, measured on questions held out."""
    manifest = json.loads((harness.version(desk) / "manifest.json").read_text())
    assert manifest["metrics"]["accuracy"] > 0.6
    assert manifest["labels"] == sorted(manifest["labels"]) and len(manifest["labels"]) == 6
    assert set(manifest["files"]) == {"metrics.json", "model.onnx", "model.safetensors", "tokenizer.json"}


def test_holds_a_conversation(desk: dict[str, str]) -> None:
    """The dialogue asks the intents service over HTTP, answers, asks again, and hands over at last."""
    with harness.serving("chatbot/intents", desk) as intents:
        found = intents.post("/intents", json={"text": "when is my refund"}).json()
        assert found["intents"][0]["intent"] == "refund"
        assert sum(each["probability"] for each in found["intents"]) == pytest.approx(1, abs=1e-5)
        environment = front(desk, f"{intents.base_url}/intents")
        (Path(desk["RAW_URI"]) / "answers.json").write_text('{"refund": "Soon."}')
        with harness.serving("chatbot/dialogue", environment) as dialogue:
            first = dialogue.post("/dialogue", json={"text": "when is my refund"}).json()
            session, heard = "", []
            for _ in range(4):
                turn = {"text": "let me talk to a person", "session": session}
                answer = dialogue.post("/dialogue", json=turn).json()
                session = answer["session"]
                heard.append(answer["intent"])
            forged = {"text": "let me talk to a person", "session": "WzIsIDBd." + "0" * 64}
            assert dialogue.post("/dialogue", json=forged).json()["intent"] is None
    (Path(desk["RAW_URI"]) / "answers.json").unlink()
    assert (first["answer"], first["intent"]) == ("Soon.", "refund")
    # answers.json knows no other intent: twice it asks again, then it hands over and starts anew.
    assert heard == [None, None, "human", None]


def front(desk: dict[str, str], url: str) -> dict[str, str]:
    """The environment of the dialogue service."""
    return {"RAW_URI": desk["RAW_URI"], "INTENTS_URL": url, "SESSION_KEY": KEY}


def test_apologises_when_intents_cannot_be_asked(desk: dict[str, str]) -> None:
    """A service that is not there, and one that never answers: the customer hears of it within seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urls = [f"http://127.0.0.1:{silent.getsockname()[1]}/intents", "http://127.0.0.1:1/intents"]
        for url in urls:
            with harness.serving("chatbot/dialogue", front(desk, url)) as dialogue:
                answer = dialogue.post("/dialogue", json={"text": "hello"}, timeout=harness.PATIENCE)
                assert dialogue.get("/health").status_code == 200
            assert answer.status_code == 200
            assert "try again" in answer.json()["answer"] and answer.json()["intent"] is None


@pytest.mark.parametrize("context", ["chatbot/intents", "chatbot/dialogue"])
def test_refuses_strange_requests(desk: dict[str, str], context: str) -> None:
    """Malformed, empty, enormous or badly encoded texts get a 4xx that repeats none of their words."""
    path = "/" + context.split("/")[1]
    environment = desk | front(desk, "http://127.0.0.1:1/")
    with harness.serving(context, environment) as client:
        bodies = {
            b"{": 422,
            b'{"text": ""}': 422,
            b'{"text": "  "}': 422,
            b'{"text": 3}': 422,
            b'{"text": "\\ud800 secret"}': 422,
            b'{"text": "\xff secret"}': 400,
            b"[]": 422,
            b'{"text": "%s"}' % (b"secret" * 1000): 422,
            b'{"text": "%s"}' % (b"secret" * 10_000): 413,
        }
        for body, status in bodies.items():
            answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert (body[:30], answer.status_code) == (body[:30], status)
            assert "secret" not in answer.text
        assert client.post(path, content=iter([b"{}"])).status_code in {411, 413}


def test_goes_on_where_it_was_stopped(desk: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM ends a run with 143; the next one resumes and ends with the model of an unbroken run."""
    environment = harness.store(tmp_path, **SETTINGS) | {"RAW_URI": desk["RAW_URI"]}
    first = harness.interrupt("chatbot/train", environment, after="epoch")
    assert first.status == 143 and not (tmp_path / "models/m/current.json").exists()
    second = harness.run("chatbot/train", environment)
    assert second.status == 0 and second.said("resuming")
    models = [harness.version(each) / "model.safetensors" for each in (desk, environment)]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.parametrize(
    ("settings", "rows", "reason"),
    [
        ({"checkpoint": "no/such"}, [("text", "intent")], "give two intents or more"),
        ({"checkpoint": "no/such"}, [], "if the hub is out of reach, put its files there"),
        ({}, [("words", "meaning"), ("a", "b")], "data.csv: needs columns `text` and `intent`"),
    ],
)
def test_says_what_is_wrong(
    tmp_path: Path, settings: dict[str, object], rows: list[object], reason: str
) -> None:
    """A missing checkpoint and bad data end the run with status 1 and one line that says what to do."""
    environment = harness.store(tmp_path, **settings)
    if rows:
        with (tmp_path / "raw/data.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)  # type: ignore[arg-type]
    ended = harness.run("chatbot/train", environment)
    assert ended.status == 1
    assert reason in ended.said("failed")["reason"]


def test_refuses_a_model_that_was_changed(desk: dict[str, str], tmp_path: Path) -> None:
    """One wrong byte in the tokenizer, and the service does not start."""
    version = harness.version(desk)
    copy = tmp_path / "models" / version.name
    copy.mkdir(parents=True)
    for path in version.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "tokenizer.json").write_text("{}")
    environment = desk | {"MODEL_URI": f"{copy.parent}/", "MODEL_VERSION": version.name, "PORT": "1"}
    ended = harness.run("chatbot/intents", environment)
    assert ended.status == 1 and "its digest differs" in ended.said("cannot serve")["reason"]


@pytest.mark.parametrize(("name", "value"), [("SESSION_KEY", "short"), ("INTENTS_URL", "/intents")])
def test_starts_with_good_settings_alone(desk: dict[str, str], name: str, value: str) -> None:
    """Without an address or a decent key the dialogue ends at once and says why."""
    environment = front(desk, "http://127.0.0.1:1/") | {"PORT": "1", name: value}
    ended = harness.run("chatbot/dialogue", environment)
    assert ended.status == 1 and name in ended.said("cannot serve")["reason"]
