"""A model that is ready to answer: a tokenizer, a runtime and the names of its labels."""

from __future__ import annotations

import ctypes
import math
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from app.manifest import Manifest, Wanted, read_manifest
from app.runtime import OnnxRuntime, Runtime
from app.settings import Settings
from app.store import Store, Unusable

if TYPE_CHECKING:
    from typing import TypeAlias

    from tokenizers import Tokenizer

    Row: TypeAlias = list[float]

CONFIG = "model.json"
"""What torch builds the network from."""

EXTERNAL = (".onnx_data", ".data")
"""Files of weights that a graph may name."""

PROBE_SECONDS = 60.0
"""A version that has not answered by then never will: a graph may hold a loop without an end."""

PROBE = "A quiet film about a long summer, slow at first and then hard to leave."
PROBE_TOKENS = 64

SMALL_BATCH, LARGE_BATCH = 128, 1024
"""Tokens in a batch: for networks that gain little from batches, and for those that gain much."""

GAIN = 0.7
"""Below this share of a single text's cost, a text in a batch is worth a large batch."""


WORTH_CORES = 0.002
"""Seconds of a core that the probe has to take for several cores to be worth it.

Whether they are sooner is not tried: while a model is loaded, the process has other work for them.
"""


class Encoded(NamedTuple):
    """A text as the model reads it."""

    ids: list[int]
    """At least one."""
    truncated: bool
    """Whether there was more than the model reads."""
    unknown: float
    """The share of its tokens that the model does not know."""


class Model:
    """One version, loaded. What it answers never changes; a newer version is another `Model`."""

    def __init__(self, manifest: Manifest, tokenizer: Tokenizer, runtime: Runtime, precision: str) -> None:
        self.manifest = manifest
        self.precision = precision
        self.batch_tokens = SMALL_BATCH
        self.seconds_per_token = 1e-4
        self.wide = False
        """Whether a text alone is answered sooner on several cores."""
        self._tokenizer = tokenizer
        self._runtime = runtime
        self._pad = _pad(tokenizer)
        self._unknown = _unknown(tokenizer)
        self._added = tokenizer.num_special_tokens_to_add(False)

    @property
    def version(self) -> str:
        """The version's name."""
        return self.manifest.version

    def is_what(self, wanted: Wanted) -> bool:
        """Whether this is the version that is wanted, with the manifest that was promoted."""
        return self.version == wanted.version and wanted.sha256 in (None, self.manifest.sha256)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the columns of `probabilities` stand for."""
        return self.manifest.labels

    def encode(self, text: str) -> Encoded:
        """The token ids of a text, cut to what the model reads."""
        # The fast one leaves out where in the text each token is.
        [encoding] = self._tokenizer.encode_batch_fast([text])
        ids = encoding.ids
        own = len(ids) - self._added
        strange = 0 if self._unknown is None else ids.count(self._unknown)
        # Of a text without a token the trainer makes one that is not known.
        empty = [self._pad if self._unknown is None else self._unknown]
        return Encoded(ids or empty, bool(encoding.overflowing), strange / own if own > 0 else 1.0)

    def probabilities(self, texts: Sequence[Sequence[int]], *, wide: bool = False) -> list[Row]:
        """The probability of each label, for each text, given as token ids; `wide`: on several cores."""
        import numpy as np

        width = max(map(len, texts))
        ids = np.full((len(texts), width), self._pad, dtype=np.int64)
        mask = np.zeros((len(texts), width), dtype=np.int64)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        likely = _softmax if self.manifest.activation == "softmax" else _sigmoid
        return [likely(each) for each in self._runtime.logits(ids, mask, wide=wide).tolist()]

    def probe(self) -> None:
        """Run once, and learn how fast it is and what batches gain. Raises `Unusable` if it cannot answer.

        The time is that of this thread alone, so other work on the machine does not count.
        """
        limit = threading.Timer(PROBE_SECONDS, self._runtime.stop)
        limit.daemon = True
        limit.start()
        try:
            self._probe()
        except Unusable:
            if not limit.finished.is_set():
                raise
            raise Unusable(f"version {self.version} gave no answer within {PROBE_SECONDS:g} s") from None
        finally:
            limit.cancel()

    def _probe(self) -> None:
        ids = (self.encode(PROBE).ids * PROBE_TOKENS)[: min(PROBE_TOKENS, self.manifest.max_tokens)]
        try:
            found = self.probabilities([ids, ids[: len(ids) // 2 + 1]])
        except Exception as error:
            raise Unusable(f"version {self.version} cannot be run: {error}") from error
        if any(len(row) != len(self.labels) or not all(map(math.isfinite, row)) for row in found):
            labels = ", ".join(self.labels)
            raise Unusable(f"version {self.version} does not answer with a number for each of {labels}")
        single = min(self._timed([ids]) for _ in range(2))
        batched = self._timed([ids] * 4) / 4
        self.seconds_per_token = batched / len(ids)
        self.batch_tokens = LARGE_BATCH if batched < GAIN * single else SMALL_BATCH
        self.wide = single >= WORTH_CORES and self._runtime.widen()

    def _timed(self, texts: Sequence[Sequence[int]]) -> float:
        start = time.thread_time()
        self.probabilities(texts)
        return max(time.thread_time() - start, 1e-6)


def _softmax(logits: Sequence[float]) -> Row:
    # There are few labels: a loop is done before numpy has begun.
    most = max(logits)
    exponents = [math.exp(each - most) for each in logits]
    total = sum(exponents)
    return [each / total for each in exponents]


def _sigmoid(logits: Sequence[float]) -> Row:
    return [1 / (1 + math.exp(-each)) if each > -700 else 0.0 for each in logits]


def load(store: Store, wanted: Wanted, settings: Settings) -> Model:
    """Fetch, verify, load and try a version: what fails never replaces what works. Raises `Unusable`."""
    manifest = read_manifest(store, wanted, settings.model_name)
    key, precision = _choose(manifest, settings)
    keep = [manifest.runtime[key], manifest.tokenizer]
    keep += [name for name in manifest.files if name.endswith(EXTERNAL)]
    if key == "torch" and CONFIG in manifest.files:
        keep.append(CONFIG)
    with TemporaryDirectory(prefix="model-") as folder:
        files = _verified(store, manifest, Path(folder), keep)
        runtime = _runtime(key, manifest, files, settings.lone_threads)
        model = Model(manifest, _tokenizer(files[manifest.tokenizer], manifest), runtime, precision)
        model.probe()
    _give_back()
    return model


def _give_back() -> None:
    """Return to the system what loading needed and glibc keeps: 10 MB."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _choose(manifest: Manifest, settings: Settings) -> tuple[str, str]:
    """The key of `runtime` to run, and its precision."""
    by_precision = {"auto": ("onnxInt8", "onnx"), "fp32": ("onnx",), "int8": ("onnxInt8",)}
    wanted = ("torch",) if settings.runtime == "torch" else by_precision[settings.precision]
    for key in wanted:
        if key in manifest.runtime:
            return key, "int8" if key == "onnxInt8" else "fp32"
    raise Unusable(f"version {manifest.version} has no {' or '.join(wanted)} in `runtime`")


def _runtime(key: str, manifest: Manifest, files: Mapping[str, Path], cores: int) -> Runtime:
    file = files[manifest.runtime[key]]
    if key != "torch":
        return OnnxRuntime(file, manifest.inputs, cores)
    from app.torch_runtime import TorchRuntime

    if CONFIG not in files:
        raise Unusable(
            f"version {manifest.version} has no {CONFIG}, which RUNTIME torch needs beside the weights"
        )
    return TorchRuntime(file, files[CONFIG], str(manifest.document.get("architecture")))


def _verified(store: Store, manifest: Manifest, folder: Path, keep: Sequence[str]) -> dict[str, Path]:
    """Where the files named in `keep` are, once every file of the version has its digest.

    They are copies in a folder of their own: what is loaded is what was digested, and a graph finds no
    weights but those that the manifest lists.
    """
    found = {}
    for name, expected in manifest.files.items():
        path = f"{manifest.version}/{name}"
        fetched = store.fetch(path, folder / name if name in keep else None)
        if (fetched.size, fetched.sha256) != (expected.size, expected.sha256):
            raise Unusable(
                f"{path} is not what was published: it has {fetched.size} bytes and digest {fetched.sha256}, "
                f"the manifest says {expected.size} and {expected.sha256}"
            )
        if name in keep:
            found[name] = folder / name
    return found


def _tokenizer(file: Path, manifest: Manifest) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:
        raise Unusable(f"{file.name} is no tokenizer: {error}") from error
    tokenizer.enable_truncation(manifest.max_tokens)
    return tokenizer


def _pad(tokenizer: Tokenizer) -> int:
    """The id that fills up short texts, as the tokenizer names it. Its own padding is switched off."""
    padding = tokenizer.padding
    tokenizer.no_padding()
    if padding:
        return int(padding["pad_id"])
    known = (tokenizer.token_to_id(token) for token in ("[PAD]", "<pad>", "<PAD>"))
    return next((each for each in known if each is not None), 0)


def _unknown(tokenizer: Tokenizer) -> int | None:
    """The id of what is not known. A tokenizer of bytes knows all."""
    token = getattr(tokenizer.model, "unk_token", None)
    return tokenizer.token_to_id(token) if token else None
