"""The Open Inference Protocol over REST, with binary tensors: the same answers, as Triton's clients ask.

https://github.com/kserve/open-inference-protocol, and "Binary tensor data extension" of Triton's user guide.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal, NamedTuple

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.model import Model
from app.problems import PROTOCOL, Refused
from app.schemas import ManyTexts, ManyVerdicts, Prediction
from app.service import Service, Serving, answer, flaw

JSON_LENGTH = "inference-header-content-length"
"""How many bytes of the body are JSON, where tensors follow it."""

Datatype = Literal["BYTES", "FP32", "BOOL"]
Value = str | float | bool


class Kind(NamedTuple):
    """A tensor that there may be: its name, and what it holds."""

    name: str
    datatype: Datatype

    def shape(self, texts: int, labels: int) -> list[int]:
        """Its shape, for so many texts; -1 for any number."""
        return [texts, labels] if self.name == "probabilities" else [texts]


TEXT = Kind("text", "BYTES")
OUTPUTS = (
    Kind("label", "BYTES"),
    Kind("probability", "FP32"),
    Kind("probabilities", "FP32"),
    Kind("truncated", "BOOL"),
    Kind("unknown", "FP32"),
)


class Wire(BaseModel):
    """A part of a request. What it says besides, such as priorities, is not ours to refuse."""

    model_config = ConfigDict(strict=True, frozen=True)


class InputParameters(Wire):
    """How an input comes."""

    binary_data_size: Annotated[int, Field(ge=0)] | None = None


class Input(Wire):
    """A tensor of the request."""

    name: str
    shape: list[Annotated[int, Field(ge=0)]]
    datatype: str
    parameters: InputParameters = InputParameters()
    data: list[object] | None = None


class OutputParameters(Wire):
    """How an output is wanted."""

    binary_data: bool | None = None


class Output(Wire):
    """A tensor that is wanted."""

    name: str
    parameters: OutputParameters = OutputParameters()


class Parameters(Wire):
    """What holds for the whole request."""

    binary_data_output: bool = False


class Inference(Wire):
    """A request."""

    id: Annotated[str, Field(max_length=256)] | None = None
    parameters: Parameters = Parameters()
    inputs: list[Input]
    outputs: list[Output] = []


async def live() -> Response:
    """Whether the process lives."""
    return Response()


async def ready(service: Serving) -> Response:
    """Whether a model is loaded."""
    service.model()
    return Response()


async def server() -> dict[str, object]:
    """What this server is."""
    return {"name": "mlopsgen", "version": "2", "extensions": ["binary_tensor_data"]}


async def model_ready(service: Serving, name: str, version: str = "") -> Response:
    """Whether this model is loaded."""
    named(service, name, version)
    return Response()


async def model_metadata(service: Serving, name: str, version: str = "") -> dict[str, object]:
    """The model's tensors."""
    model = named(service, name, version)
    labels = len(model.labels)

    def tensor(kind: Kind) -> dict[str, object]:
        return {"name": kind.name, "datatype": kind.datatype, "shape": kind.shape(-1, labels)}

    return {
        "name": name,
        "versions": [model.version],
        "platform": "onnxruntime_onnx",
        "inputs": [tensor(TEXT)],
        "outputs": [tensor(each) for each in OUTPUTS],
        "parameters": {"labels": list(model.labels)},
    }


async def infer(service: Serving, request: Request, name: str, version: str = "") -> Response:
    """Say which label each text gets."""
    named(service, name, version)
    asked, tensors = _read(request.headers.get(JSON_LENGTH), await request.body())
    texts = _texts(asked, tensors)
    wanted = _wanted(asked)
    found = await answer(texts, service, request.scope)
    assert isinstance(found, ManyVerdicts)
    return _response(name, asked.id, found, wanted)


ROUTES: tuple[tuple[str, Callable[..., Awaitable[object]], tuple[str, ...]], ...] = (
    ("GET", live, ("/health/live",)),
    ("GET", ready, ("/health/ready",)),
    ("GET", server, ("",)),
    ("GET", model_ready, ("/models/{name}/ready", "/models/{name}/versions/{version}/ready")),
    ("GET", model_metadata, ("/models/{name}", "/models/{name}/versions/{version}")),
    ("POST", infer, ("/models/{name}/infer", "/models/{name}/versions/{version}/infer")),
)


def add(app: FastAPI) -> None:
    """Add the protocol's paths."""
    for method, endpoint, paths in ROUTES:
        for path in paths:
            # The protocol has a document of its own.
            app.add_api_route(
                PROTOCOL + path, endpoint, methods=[method], include_in_schema=False, response_model=None
            )


def named(service: Service, name: str, version: str) -> Model:
    """The model in use, if it is the one that was named. Raises `Refused`."""
    model = service.model()
    if name != model.manifest.name:
        raise Refused(404, "not_found", f"there is no model of this name; ask for {model.manifest.name}")
    if version not in ("", model.version):
        raise Refused(404, "not_found", f"this version is not in use; {model.version} is")
    return model


def _read(length: str | None, body: bytes) -> tuple[Inference, bytes]:
    """The request, and the tensors that follow it."""
    if length is not None and not (length.isascii() and length.isdigit() and int(length) <= len(body)):
        raise _bad("Inference-Header-Content-Length is no number of bytes within the body")
    size = int(length) if length is not None else len(body)
    try:
        return Inference.model_validate_json(body[:size]), body[size:]
    except ValidationError as error:
        first = error.errors()[0]
        said = "the body is no JSON" if first["type"] == "json_invalid" else flaw(first, first["loc"]).says()
        raise _bad(said) from error


def _texts(asked: Inference, tensors: bytes) -> ManyTexts:
    if len(asked.inputs) != 1 or (asked.inputs[0].name, asked.inputs[0].datatype) != TEXT:
        raise _bad("give one input: `text`, of datatype BYTES")
    given = asked.inputs[0]
    size = given.parameters.binary_data_size
    if (size is None) == (given.data is None):
        raise _bad("give either `data` or `binary_data_size`")
    if size is not None and size != len(tensors):
        raise _bad(f"`binary_data_size` is {size}, but {len(tensors)} bytes follow")
    found = _flat(given.data) if given.data is not None else _strings(tensors)
    if len(found) != math.prod(given.shape):
        raise _bad(f"`shape` is of {math.prod(given.shape)} texts, but there are {len(found)}")
    try:
        return ManyTexts.model_validate({"texts": found})
    except ValidationError as error:
        first = error.errors()[0]
        raise _bad(flaw(first, first["loc"]).says()) from error


def _flat(data: Sequence[object]) -> list[object]:
    """The elements of a tensor, which may come flat or as nested lists."""
    found: list[object] = []
    waiting = [iter(data)]
    while waiting:
        for each in waiting[-1]:
            if isinstance(each, list):
                waiting.append(iter(each))
                break
            found.append(each)
        else:
            waiting.pop()
    return found


def _strings(data: bytes) -> list[object]:
    """The elements of a tensor of BYTES: each has its length before it."""
    found: list[object] = []
    place = 0
    while place < len(data):
        end = place + 4
        end += int.from_bytes(data[place:end], "little")
        if end > len(data):
            raise _bad("the tensor of BYTES ends within an element")
        try:
            found.append(data[place + 4 : end].decode())
        except UnicodeDecodeError as error:
            raise _bad(f"texts.{len(found)}: the text is no UTF-8") from error
        place = end
    return found


def _wanted(asked: Inference) -> list[tuple[Kind, bool]]:
    """The outputs that are wanted, and whether each is as binary."""
    binary = asked.parameters.binary_data_output
    if not asked.outputs:
        return [(kind, binary) for kind in OUTPUTS]
    kinds = {kind.name: kind for kind in OUTPUTS}
    if any(each.name not in kinds for each in asked.outputs):
        raise _bad(f"`outputs` may name {', '.join(kinds)}")
    said = ((kinds[each.name], each.parameters.binary_data) for each in asked.outputs)
    return [(kind, binary if how is None else how) for kind, how in said]


def _response(
    name: str, request: str | None, found: ManyVerdicts, wanted: Sequence[tuple[Kind, bool]]
) -> Response:
    outputs: list[dict[str, object]] = []
    tail = b""
    labels = len(found.predictions[0].probabilities)
    for kind, binary in wanted:
        values = [value for each in found.predictions for value in _values(kind, each)]
        shape = kind.shape(len(found.predictions), labels)
        output: dict[str, object] = {"name": kind.name, "datatype": kind.datatype, "shape": shape}
        if binary:
            packed = b"".join(_packed(value) for value in values)
            outputs.append(output | {"parameters": {"binary_data_size": len(packed)}})
            tail += packed
        else:
            outputs.append(output | {"data": values})
    document: dict[str, object] = {"model_name": name, "model_version": found.model, "outputs": outputs}
    head = json.dumps(document | ({"id": request} if request is not None else {})).encode()
    if not any(binary for _, binary in wanted):
        return Response(head, media_type="application/json")
    return Response(head + tail, media_type="application/octet-stream", headers={JSON_LENGTH: str(len(head))})


def _values(kind: Kind, verdict: Prediction) -> Sequence[Value]:
    if kind.name == "probabilities":
        return list(verdict.probabilities.values())
    single: dict[str, Value] = dict(verdict)
    return [single[kind.name]]


def _packed(value: Value) -> bytes:
    if isinstance(value, str):
        data = value.encode()
        return struct.pack("<I", len(data)) + data
    return struct.pack("<?", value) if isinstance(value, bool) else struct.pack("<f", value)


def _bad(message: str) -> Refused:
    return Refused(400, "invalid", message)
