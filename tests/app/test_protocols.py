"""Protocols that others speak: the Open Inference Protocol, with Triton's own client too, and SageMaker's."""

from __future__ import annotations

import json
import struct
import subprocess
from typing import Any

import pytest

from tests.app.conftest import FIRST
from tests.app.service import PATIENCE, Running, until
from tests.tools import needs_triton_client

MODEL = "/v2/models/sentiment"
TEXTS = ["good", "awful, dull"]
CLIENT = """
import json, sys
import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

client = InferenceServerClient(sys.argv[1], network_timeout=120, connection_timeout=120)
found = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model": client.is_model_ready("sentiment"),
    "other": client.is_model_ready("other"),
    "extensions": client.get_server_metadata()["extensions"],
    "outputs": [each["name"] for each in client.get_model_metadata("sentiment")["outputs"]],
}
def ask(binary, outputs=None, texts=["good", "awful, dull"]):
    given = InferInput("text", [len(texts)], "BYTES")
    given.set_data_from_numpy(np.array(texts, dtype=object), binary_data=binary)
    wanted = outputs and [InferRequestedOutput(name, binary_data=how) for name, how in outputs]
    return client.infer("sentiment", [given], outputs=wanted, request_id="r1")
names = ("label", "probability", "probabilities", "truncated")
for name, result in {
    "binary": ask(True),
    "json": ask(False, [(name, False) for name in names]),
    "mixed": ask(True, zip(names, (False, True, False, True))),
}.items():
    response = result.get_response()
    labels = [each.decode() if isinstance(each, bytes) else each for each in result.as_numpy("label")]
    numbers = [np.round(result.as_numpy(each).astype(float), 4).tolist() for each in names[1:3]]
    found[name] = [response["id"], response["model_version"], labels, *numbers,
                   result.as_numpy("truncated").tolist()]
try:
    ask(True, texts=["good", " "])
except InferenceServerException as error:
    found["error"] = [error.status(), error.message()]
print(json.dumps(found))
"""


def test_the_client_of_triton(shared: Running) -> None:
    """Triton's own client finds server and model, asks in JSON and in binary, and understands errors."""
    python = needs_triton_client()
    address = shared.url.removeprefix("http://")
    done = subprocess.run(
        [python, "-c", CLIENT, address], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    verdicts = ["r1", FIRST, ["positive", "negative"], [0.8176, 0.989], [[0.1824, 0.8176], [0.989, 0.011]]]
    assert json.loads(done.stdout) == {
        "live": True,
        "ready": True,
        "model": True,
        "other": False,
        "extensions": ["binary_tensor_data"],
        "outputs": ["label", "probability", "probabilities", "truncated", "unknown"],
        **{how: [*verdicts, [False, False]] for how in ("binary", "json", "mixed")},
        "error": ["400", "texts.1: the text is blank"],
    }


def inference(**changes: object) -> dict[str, Any]:
    """A request for two texts."""
    text = {"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS}
    return {"inputs": [text | changes]}


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/{FIRST}"])
def test_open_inference_protocol(shared: Running, path: str) -> None:
    """Metadata says which tensors there are; answers are those of /predict, flat or nested alike."""
    facts = shared.client.get(path).json()
    assert (facts["inputs"], facts["parameters"], facts["versions"]) == (
        [{"name": "text", "datatype": "BYTES", "shape": [-1]}], {"labels": ["negative", "positive"]}, [FIRST],
    )  # fmt: skip
    assert facts["outputs"][2] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}
    answer = shared.client.post(f"{path}/infer", json=inference()).json()
    nested = inference(shape=[2, 1], data=[[each] for each in TEXTS])
    assert shared.client.post(f"{path}/infer", json=nested).json() == answer
    outputs = {each["name"]: each["data"] for each in answer.pop("outputs")}
    assert answer == {"model_name": "sentiment", "model_version": FIRST}
    own = shared.predict(*TEXTS).json()["predictions"]
    assert outputs["label"] == [each["label"] for each in own]
    assert outputs["probability"] == [each["probability"] for each in own]
    assert outputs["probabilities"] == [each for one in own for each in one["probabilities"].values()]
    assert shared.client.get(f"{path}/ready").status_code == 200


def test_only_what_is_wanted_and_as_wanted(shared: Running) -> None:
    """The tensors that were asked for, in their order, in binary where that was asked for."""
    tensor = b"".join(struct.pack("<I", len(each)) + each.encode() for each in TEXTS)
    given = inference()["inputs"][0]
    del given["data"]
    given["parameters"] = {"binary_data_size": len(tensor)}
    head = json.dumps({"inputs": [given], "outputs": [
        {"name": "probability", "parameters": {"binary_data": True}}, {"name": "label"},
    ]}).encode()  # fmt: skip
    answer = shared.client.post(
        f"{MODEL}/infer", content=head + tensor, headers={"Inference-Header-Content-Length": str(len(head))}
    )
    length = int(answer.headers["inference-header-content-length"])
    [probability, label] = json.loads(answer.content[:length])["outputs"]
    assert probability["parameters"] == {"binary_data_size": 8}
    assert struct.unpack("<2f", answer.content[length:]) == pytest.approx((0.817574, 0.989013), abs=1e-5)
    assert label["data"] == ["positive", "negative"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is no JSON"),
        (b"{}", "inputs: Field required"),
        (json.dumps(inference(name="other")).encode(), "give one input: `text`, of datatype BYTES"),
        (json.dumps(inference(shape=[3])).encode(), "`shape` is of 3 texts, but there are 2"),
        (json.dumps(inference(data=None)).encode(), "give either `data` or `binary_data_size`"),
        (json.dumps(inference(data=["a", 1])).encode(), "texts.1: Input should be a valid string"),
        (json.dumps(inference(data=["a", ""])).encode(), "texts.1: String should have at least 1 character"),
        (json.dumps(inference(shape=[0], data=[])).encode(), "texts: List should have at least 1 item"),
        (json.dumps(inference() | {"outputs": [{"name": "x"}]}).encode(), "`outputs` may name label, "),
        (
            json.dumps(inference(data=None, parameters={"binary_data_size": 9})).encode(),
            "`binary_data_size` is 9, but 0 bytes follow",
        ),
    ],
)
def test_wrong_inference(shared: Running, body: bytes, message: str) -> None:
    """The protocol's own form of an error, `{"error": "…"}`, which its clients show."""
    answer = shared.client.post(f"{MODEL}/infer", content=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize(
    ("length", "tensor", "message"),
    [
        ("1000000", b"", "Inference-Header-Content-Length is no number"),
        ("-1", b"", "Inference-Header-Content-Length is no number"),
        (None, b"\x01\x00\x00\x00a\xff\xff\xff\xffb", "the tensor of BYTES ends within an element"),
        (None, b"\x01\x00\x00\x00a\x01\x00\x00\x00\xff", "texts.1: the text is no UTF-8"),
    ],
)
def test_wrong_tensors(shared: Running, length: str | None, tensor: bytes, message: str) -> None:
    """Bytes that are no texts are said to be none."""
    body = json.dumps(inference(data=None, parameters={"binary_data_size": len(tensor)})).encode()
    headers = {"Inference-Header-Content-Length": length or str(len(body))}
    answer = shared.client.post(f"{MODEL}/infer", content=body + tensor, headers=headers)
    assert (answer.status_code, answer.json()["error"].startswith(message)) == (400, True), answer.text


def test_another_model_or_version(shared: Running) -> None:
    """What is not served is not there, in the protocol's own form."""
    for path in ("/v2/models/other", f"{MODEL}/versions/20200101T000000Z-00000000", "/v2/nothing"):
        answer = shared.client.get(path)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_what_sagemaker_asks(shared: Running) -> None:
    """`/ping` is `/ready`, and `/invocations` is `/predict`; both are counted as predictions."""
    assert shared.client.get("/ping").status_code == 200
    answer = shared.client.post("/invocations", json={"text": "good"}, headers={"X-Request-Id": "maker-1"})
    assert answer.json() == shared.predict("good").json()
    shared.client.post(f"{MODEL}/infer", json=inference(), headers={"X-Request-Id": "triton-1"})
    until(lambda: "triton-1" in shared.output.read_text())
    lines = {each["requestId"]: each for each in shared.lines("request")}
    assert (lines["maker-1"]["route"], lines["maker-1"]["texts"]) == ("/invocations", 1)
    assert (lines["triton-1"]["route"], lines["triton-1"]["texts"]) == ("/v2/models/{name}/infer", 2)
