"""What computes logits from token ids. ONNX Runtime by default; torch where it is installed and asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.store import Unusable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession, SessionOptions

    Ids = NDArray[np.int64]
    Logits = NDArray[np.float32]


class Runtime(Protocol):
    """A loaded network. Safe to call from several threads at once."""

    def logits(self, input_ids: Ids, attention_mask: Ids, *, wide: bool = False) -> Logits:
        """Logits, texts by labels, of token ids and their mask, both texts by tokens.

        `wide`: on several cores, once `widen` has said that it can.
        """

    def widen(self) -> bool:
        """Get ready to compute one text on several cores; whether that can be."""

    def stop(self) -> None:
        """Let what runs fail, and whatever would."""


class OnnxRuntime:
    """An ONNX graph on the CPU. Each call computes on the thread that calls, unless it is to be wide."""

    def __init__(self, file: Path, inputs: Sequence[str], cores: int = 1) -> None:
        """`cores`: how many a wide call takes. Its file has to be there until `widen` was called, if ever.

        Raises `Unusable` if the file holds no graph that this version of ONNX Runtime can run.
        """
        import onnxruntime as ort

        self._cores = cores
        self._run = ort.RunOptions()
        self._wide: ort.InferenceSession | None = None
        try:
            self._file = _packed(file) if cores > 1 else file
            # Two texts on a core each are done sooner than one after the other on both: cores share the
            # work by texts, not within one, while there are several (docs/serving.md has the figures).
            self._session = _session(self._file, 1)
        except Exception as error:
            raise Unusable(f"{file.name} is no graph that ONNX Runtime can run: {error}") from error
        self._takes = [each.name for each in self._session.get_inputs()]
        if not set(self._takes) <= set(inputs):
            wanted, named = ", ".join(sorted(self._takes)), ", ".join(inputs)
            raise Unusable(f"{file.name} takes {wanted}; the manifest's `inputs` are {named}")

    def logits(self, input_ids: Ids, attention_mask: Ids, *, wide: bool = False) -> Logits:
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        session = (self._wide if wide else None) or self._session
        found: Logits = session.run(None, {name: given[name] for name in self._takes}, self._run)[0]
        return found

    def widen(self) -> bool:
        if self._cores > 1:
            self._wide = _session(self._file, self._cores)
        return self._wide is not None

    def stop(self) -> None:
        self._run.terminate = True


def _options(threads: int) -> SessionOptions:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins for work takes a core from whoever has some, and a text twice as long.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory is kept for each length that ever came: 10 to 20 MB, and nothing is faster
    # for it. Without planned reuse, too, a process is 12 MB smaller, and a text takes 3 % less time.
    options.enable_mem_pattern = options.enable_mem_reuse = False
    options.log_severity_level = 3
    return options


def _session(file: Path, threads: int) -> InferenceSession:
    import onnxruntime as ort

    return ort.InferenceSession(str(file), _options(threads), providers=["CPUExecutionProvider"])


def _packed(file: Path) -> Path:
    """The graph as ONNX Runtime runs it, with its weights in a file of their own, packed for this machine.

    Sessions map that file into memory and share it: the second one costs no weights of its own
    (onnxruntime_session_options_config_keys.h, "session.save_external_prepacked_constant_initializers").
    """
    import onnxruntime as ort

    packed = file.with_name("packed.onnx")
    options = _options(1)
    options.optimized_model_filepath = str(packed)
    for key, value in (
        ("optimized_model_external_initializers_file_name", "packed.weights"),
        ("save_external_prepacked_constant_initializers", "1"),
    ):
        options.add_session_config_entry(f"session.{key}", value)
    ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return packed
