"""What computes logits from token ids. ONNX Runtime by default; torch where it is installed and asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.store import Unusable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Logits = NDArray[np.float32]


class Runtime(Protocol):
    """A loaded network. Safe to call from several threads at once."""

    def logits(self, input_ids: Ids, attention_mask: Ids) -> Logits:
        """Logits, texts by labels, of token ids and their mask, both texts by tokens."""

    def stop(self) -> None:
        """Let what runs fail, and whatever would."""


class OnnxRuntime:
    """An ONNX graph on the CPU. Each call computes on the thread that calls."""

    def __init__(self, file: Path, inputs: Sequence[str]) -> None:
        """Raises `Unusable` if the file holds no graph that this version of ONNX Runtime can run."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        # Two texts on a core each are done sooner than one after the other on both: cores share the
        # work by texts, not within one (docs/serving.md has the figures).
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # A plan of the memory is kept for each length that ever came: 10 to 20 MB, and nothing is faster
        # for it. Without planned reuse, too, a process is 12 MB smaller, and a text takes 3 % less time.
        options.enable_mem_pattern = options.enable_mem_reuse = False
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise Unusable(f"{file.name} is no graph that ONNX Runtime can run: {error}") from error
        self._run = ort.RunOptions()
        self._takes = [each.name for each in self._session.get_inputs()]
        if not set(self._takes) <= set(inputs):
            wanted, named = ", ".join(sorted(self._takes)), ", ".join(inputs)
            raise Unusable(f"{file.name} takes {wanted}; the manifest's `inputs` are {named}")

    def logits(self, input_ids: Ids, attention_mask: Ids) -> Logits:
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        found: Logits = self._session.run(None, {name: given[name] for name in self._takes}, self._run)[0]
        return found

    def stop(self) -> None:
        self._run.terminate = True
