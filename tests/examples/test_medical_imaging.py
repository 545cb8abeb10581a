"""The segmentation of CT slices: from slices and masks to masks over HTTP."""

from __future__ import annotations

import io
import json
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.examples import harness

pytestmark = pytest.mark.xdist_group("medical-imaging")

SETTINGS = {"epochs": 6, "channels": [8, 16, 32], "learningRate": 0.01}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A store with one version, trained on the synthetic slices."""
    environment = scanner(tmp_path_factory.mktemp("ward"), **SETTINGS)
    assert harness.run("medical-imaging/train", environment).status == 0
    return environment


def scanner(folder: Path, **settings: object) -> dict[str, str]:
    """The environment of the pipeline's tasks."""
    (folder / "masks").mkdir()
    places = {"MASKS_URI": f"{folder}/masks/", "PROCESSED_URI": f"{folder}/processed/"}
    return harness.store(folder, **settings) | places


def npz(**arrays: np.ndarray) -> bytes:
    """What people save slices as."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def lungs(side: tuple[int, int], lesion: bool) -> np.ndarray:
    """A slice that no training saw: dark lungs, and a lesion in the left one or not."""
    y, x = np.mgrid[0 : side[0], 0 : side[1]]
    image = np.full(side, 40.0)
    for centre in (20, 46):
        image[((x - centre) / 11) ** 2 + ((y - 32) / 22) ** 2 < 1] = -850
    if lesion:
        image[(x - 20) ** 2 + (y - 30) ** 2 < 16] = 20
    return image.astype(np.int16)


def mask_of(answer: httpx.Response) -> np.ndarray:
    """The mask that came back."""
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image)


def test_finds_lesions_of_patients_it_never_saw(ward: dict[str, str]) -> None:
    """The Dice coefficient on held-out patients is high, and the worst slices are listed first."""
    version = harness.version(ward)
    manifest = json.loads((version / "manifest.json").read_text())
    assert manifest["metrics"]["dice"] > 0.6
    ranked = json.loads((Path(ward["PROCESSED_URI"]) / "m" / version.name / "dice.json").read_text())
    assert list(ranked.values()) == sorted(ranked.values()) and len(ranked) == manifest["data"]["test"]


def test_answers_a_mask(ward: dict[str, str]) -> None:
    """A slice as .npz and as 16-bit PNG gives the same mask, of its own size, whatever that is."""
    with harness.serving("medical-imaging/serve", ward) as client:
        assert client.get("/health").json()["provider"] == "CPUExecutionProvider"
        for side in ((64, 66), (67, 70)):
            image = lungs(side, lesion=True)
            png = io.BytesIO()
            Image.fromarray((image + 1024).astype(np.uint16)).save(png, "PNG")
            answers = [client.post("/masks", content=body) for body in (npz(image=image), png.getvalue())]
            first, second = (mask_of(answer) for answer in answers)
            assert first.shape == side and np.array_equal(first, second)
            assert set(np.unique(first)) == {0, 255} and first[30, 20] == 255
            assert answers[0].headers["X-Lesion-Pixels"] == str((first > 0).sum())
            assert answers[0].headers["X-Model-Version"] == harness.version(ward).name
        healthy = mask_of(client.post("/masks", content=npz(image=lungs((64, 66), lesion=False))))
        assert (healthy > 0).sum() < (first > 0).sum() / 2


def test_refuses_what_is_no_slice(ward: dict[str, str]) -> None:
    """Damaged, disguised, enormous and dangerous uploads get a 4xx; the service goes on."""
    good = npz(image=lungs((64, 66), lesion=True))
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
    np.lib.format.write_array_header_1_0(header, shape)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w") as archive:
        archive.writestr("image.npy", header.getvalue())
    wide = io.BytesIO()
    Image.new("I;16", (5000, 5000)).save(wide, "PNG")
    colours = io.BytesIO()
    Image.new("RGB", (8, 8)).save(colours, "PNG")
    bodies = {
        "empty": b"",
        "text": b"hello",
        "half": good[: len(good) // 2],
        "changed": good[:60] + b"\0\0\0\0" + good[64:],
        "another name": npz(slice=np.zeros((4, 4))),
        "three axes": npz(image=np.zeros((4, 4, 4))),
        "no pixels": npz(image=np.zeros((0, 4))),
        "not finite": npz(image=np.full((4, 4), np.nan)),
        "words": npz(image=np.array([["a"]])),
        "pickle": npz(image=np.array([[{}]], dtype=object)),
        "bomb": bomb.getvalue(),
        "half a PNG": wide.getvalue()[:40],
        "wide PNG": wide.getvalue(),
        "colours": colours.getvalue(),
    }
    with harness.serving("medical-imaging/serve", ward) as client:
        answers = {name: client.post("/masks", content=body).status_code for name, body in bodies.items()}
        assert answers == dict.fromkeys(bodies, 422)
        large = client.post("/masks", content=(bytes(1 << 20) for _ in range(65)))
        assert large.status_code == 413
        assert mask_of(client.post("/masks", content=good)).shape == (64, 66)
    assert not [path for path in Path(ward["TMPDIR"]).iterdir() if path.name.startswith("tmp")]


def test_finishes_what_it_has_begun(ward: dict[str, str]) -> None:
    """SIGTERM in the middle of an upload: the slice is still answered, and nobody else is let in."""
    body = npz(image=lungs((64, 66), lesion=True))
    with harness.running("medical-imaging/serve", ward) as (client, process):

        def slowly() -> Iterator[bytes]:
            yield body[:100]
            process.terminate()
            until = time.monotonic() + harness.PATIENCE
            while time.monotonic() < until and is_open(client):
                time.sleep(0.05)
            yield body[100:]

        answer = client.post("/masks", content=slowly())
        assert mask_of(answer).shape == (64, 66)
        assert not is_open(client)


def is_open(client: httpx.Client) -> bool:
    """Whether the service takes new connections."""
    try:
        socket.create_connection((client.base_url.host, client.base_url.port or 0)).close()
    except OSError:
        return False
    return True


def test_goes_on_where_it_was_stopped(ward: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM ends a run with 143; the next one resumes and ends with the model of an unbroken run."""
    environment = scanner(tmp_path, **SETTINGS)
    first = harness.interrupt("medical-imaging/train", environment, after="epoch")
    assert first.status == 143 and not (tmp_path / "models/m/current.json").exists()
    second = harness.run("medical-imaging/train", environment)
    assert second.status == 0 and second.said("resuming")
    models = [harness.version(each) / "model.safetensors" for each in (ward, environment)]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.parametrize(
    ("raw", "masks", "reason"),
    [
        ({"a_1.npz": npz(image=np.zeros((4, 4)))}, {}, "no mask for 1 slices, such as a_1.npz"),
        ({"a_1.npz": b"no zip"}, {"a_1.npz": b"no zip"}, "a_1.npz: needs an array `image` of numbers"),
        (
            {"a_1.npz": npz(image=np.zeros((4, 4)))},
            {"a_1.npz": npz(mask=np.zeros((4, 5)))},
            "a_1.npz: the slice is (4, 4) and its mask (4, 5)",
        ),
        (
            {"a_1.npz": npz(image=np.array([[{}]], dtype=object))},
            {"a_1.npz": npz(mask=np.zeros((4, 5)))},
            "a_1.npz: needs an array `image` of numbers",
        ),
        (
            {"a_1.npz": npz(image=np.zeros((4, 4)))},
            {"a_1.npz": npz(mask=np.zeros((4, 4)))},
            "too few patients",
        ),
    ],
)
def test_says_what_is_wrong(
    tmp_path: Path, raw: dict[str, bytes], masks: dict[str, bytes], reason: str
) -> None:
    """Bad slices end the run with status 1 and one line that says which and why; no pickle is loaded."""
    environment = scanner(tmp_path)
    for folder, files in (("raw", raw), ("masks", masks)):
        for name, content in files.items():
            (tmp_path / folder / name).write_bytes(content)
    ended = harness.run("medical-imaging/train", environment)
    assert ended.status == 1
    assert reason in ended.said("failed")["reason"]


def test_refuses_a_model_that_was_changed(ward: dict[str, str], tmp_path: Path) -> None:
    """One wrong byte in the model, and the service does not start."""
    version = harness.version(ward)
    copy = tmp_path / "models" / version.name
    copy.mkdir(parents=True)
    for path in version.iterdir():
        content = path.read_bytes()
        (copy / path.name).write_bytes(content[:-1] + b"x" if path.suffix == ".onnx" else content)
    environment = ward | {"MODEL_URI": f"{copy.parent}/", "MODEL_VERSION": version.name, "PORT": "1"}
    ended = harness.run("medical-imaging/serve", environment)
    assert ended.status == 1 and "its digest differs" in ended.said("cannot serve")["reason"]
