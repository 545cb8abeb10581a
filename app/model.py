"""A model that is ready to answer: a tokenizer, a runtime and the names of its labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from app.manifest import Manifest, read_manifest
from app.runtime import OnnxRuntime, Runtime
from app.settings import Settings
from app.store import Store, Unusable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Model:
    """One version, loaded. It never changes; a newer version is another `Model`."""

    def __init__(self, manifest: Manifest, tokenizer: Any, runtime: Runtime, precision: str) -> None:
        self.manifest = manifest
        self.precision = precision
        self._tokenizer = tokenizer
        self._runtime = runtime
        self.pad = _pad(tokenizer)

    @property
    def version(self) -> str:
        """The version's name."""
        return self.manifest.version

    @property
    def labels(self) -> tuple[str, ...]:
        """What the columns of `probabilities` stand for."""
        return self.manifest.labels

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, cut to what the model reads; at least one."""
        return self._tokenizer.encode(text).ids or [self.pad]

    def probabilities(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """The probability of each label, texts by labels, of texts given as token ids."""
        import numpy as np

        width = max(map(len, texts))
        ids = np.full((len(texts), width), self.pad, dtype=np.int64)
        mask = np.zeros((len(texts), width), dtype=np.int64)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        logits = self._runtime.logits(ids, mask).astype(np.float64)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)


def load(store: Store, version: str, settings: Settings) -> Model:
    """Fetch, verify, load and try a version. Raises `Unusable`."""
    manifest = read_manifest(store, version, settings.model_name)
    file, precision = _choose(manifest, settings)
    with TemporaryDirectory(prefix="model-") as folder:
        files = _verified(store, manifest, Path(folder))
        runtime = OnnxRuntime(files[file], manifest.inputs, settings.threads)
        model = Model(manifest, _tokenizer(files[manifest.tokenizer], manifest), runtime, precision)
    _try(model)
    return model


def _choose(manifest: Manifest, settings: Settings) -> tuple[str, str]:
    """The file to run and its precision."""
    wanted = {"auto": ("onnxInt8", "onnx"), "fp32": ("onnx",), "int8": ("onnxInt8",)}[settings.precision]
    for key in wanted:
        if key in manifest.runtime:
            return manifest.runtime[key], "int8" if key == "onnxInt8" else "fp32"
    raise Unusable(f"version {manifest.version} has no {' or '.join(wanted)} in `runtime`")


def _verified(store: Store, manifest: Manifest, folder: Path) -> dict[str, Path]:
    """Every file of the version on this disk, each with the digest that the manifest names."""
    found = {}
    for name, expected in manifest.files.items():
        path = f"{manifest.version}/{name}"
        fetched = store.fetch(path, folder / name)
        if (fetched.sha256, fetched.size) != (expected.sha256, expected.size):
            raise Unusable(
                f"{path} has {fetched.size} bytes and the digest {fetched.sha256}; "
                f"the manifest says {expected.size} and {expected.sha256}"
            )
        found[name] = store.local(path) or folder / name
    return found


def _tokenizer(file: Path, manifest: Manifest) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:
        raise Unusable(f"{file.name} is no tokenizer: {error}") from error
    tokenizer.enable_truncation(manifest.max_tokens)
    return tokenizer


def _pad(tokenizer: Any) -> int:
    """The id that fills up short texts, as the tokenizer names it; its padding is switched off."""
    padding = tokenizer.padding
    tokenizer.no_padding()
    if padding:
        return int(padding["pad_id"])
    return next(
        (
            known
            for token in ("[PAD]", "<pad>", "<PAD>")
            if (known := tokenizer.token_to_id(token)) is not None
        ),
        0,
    )


def _try(model: Model) -> None:
    """Run the model once: what cannot answer must not replace what can."""
    import numpy as np

    try:
        found = model.probabilities([model.encode("A quiet film."), model.encode("Good.")])
    except Exception as error:
        raise Unusable(f"version {model.version} cannot be run: {error}") from error
    if found.shape != (2, len(model.labels)) or not np.isfinite(found).all():
        raise Unusable(
            f"version {model.version} answers {found.shape}, not a number for each of {model.labels}"
        )
