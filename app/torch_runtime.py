"""The networks of train/ in torch, from weights in safetensors; on a GPU where there is one.

The serving image holds no torch. An image that does, and sets RUNTIME=torch, runs models that no ONNX graph
was exported for, or that a GPU makes faster. Both runtimes give the same answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from app.store import Unusable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from app.runtime import Ids, Logits

    Forward: TypeAlias = Callable[[Tensor, Tensor], Tensor]

ARCHITECTURES = ("lstm", "transformer")


class TorchRuntime:
    """A network in torch. On a CPU each call computes on the thread that calls."""

    def __init__(self, weights: Path, config: Path, architecture: str) -> None:
        """Raises `Unusable` if torch is missing, or the files do not make a network."""
        try:
            import torch
            from safetensors.torch import load_file
        except ImportError as error:
            raise Unusable(
                "RUNTIME is torch, which is not installed: add torch, safetensors and, for transformers, "
                "transformers to requirements.txt, or set RUNTIME to onnx"
            ) from error
        torch.set_num_threads(1)
        self._torch = torch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            network, self._forward = _network(architecture, json.loads(config.read_text()))
            network.load_state_dict(load_file(weights))
        except Unusable:
            raise
        except Exception as error:
            raise Unusable(f"{weights.name} and {config.name} make no {architecture}: {error}") from error
        network.eval().to(self._device)

    def logits(self, input_ids: Ids, attention_mask: Ids, *, wide: bool = False) -> Logits:
        torch = self._torch
        with torch.inference_mode():
            ids, mask = (torch.from_numpy(each).to(self._device) for each in (input_ids, attention_mask))
            found: Logits = self._forward(ids, mask).float().cpu().numpy()
            return found

    def widen(self) -> bool:
        """Never: torch's threads belong to the whole process."""
        return False

    def stop(self) -> None:
        """Nothing: the networks of train/ come to an end."""


def _network(architecture: str, config: Mapping[str, object]) -> tuple[nn.Module, Forward]:
    """A network without weights, and how it is called with token ids and their mask."""
    if architecture == "transformer":
        return _transformer(config)
    if architecture == "lstm":
        return _lstm(*(_size(config, name) for name in ("words", "embedding", "hidden", "layers")))
    known = " and ".join(ARCHITECTURES)
    raise Unusable(f"RUNTIME torch runs {known}, and this model is a {architecture}: set RUNTIME to onnx")


def _size(config: Mapping[str, object], name: str) -> int:
    value = config[name]
    if not isinstance(value, int):
        raise ValueError(f"`{name}` is no number")
    return value


def _transformer(config: Mapping[str, object]) -> tuple[nn.Module, Forward]:
    from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

    given = dict(config)
    known = AutoConfig.for_model(str(given.pop("model_type")), **given)
    # transformers has types in part; this function has none.
    network: PreTrainedModel = AutoModelForSequenceClassification.from_config(known)  # type: ignore[no-untyped-call]

    def forward(ids: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = network(input_ids=ids, attention_mask=mask).logits
        return logits

    return network, forward


def _lstm(words: int, embedding: int, hidden: int, layers: int) -> tuple[nn.Module, Forward]:
    import torch
    from torch import nn

    class Lstm(nn.Module):
        """Both directions over the review's own tokens, pooled by maximum and mean."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(words, embedding, padding_idx=0)
            widths = [embedding, *([2 * hidden] * (layers - 1))]
            self.forwards = nn.ModuleList(nn.LSTM(width, hidden, batch_first=True) for width in widths)
            self.backwards = nn.ModuleList(nn.LSTM(width, hidden, batch_first=True) for width in widths)
            self.classifier = nn.Linear(4 * hidden, 2)

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            lengths = mask.sum(1)[:, None]
            steps = torch.arange(ids.shape[1], device=ids.device)
            turned = torch.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None]
            states = self.embedding(ids)
            for there, back in zip(self.forwards, self.backwards, strict=True):
                first, _ = there(states)
                second, _ = back(states.gather(1, turned.expand(states.shape)))
                states = torch.cat([first, second.gather(1, turned.expand(second.shape))], dim=2)
            keep = mask.bool()[:, :, None]
            most = states.masked_fill(~keep, -1.0).amax(1)
            mean = states.masked_fill(~keep, 0.0).sum(1) / lengths
            logits: Tensor = self.classifier(torch.cat([most, mean], dim=1))
            return logits

    network = Lstm()
    return network, network
