"""Text to token ids: tokenizers as the `tokenizers` library reads them, which a service uses as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from train import log

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = NDArray[np.int64]
"""Token ids or their mask, reviews x tokens."""
Logits = NDArray[np.float32]
"""Reviews x labels."""
Predict = Callable[[Ids, Ids], Logits]
"""A model as a function from `input_ids` and `attention_mask` to logits."""

PAD, UNKNOWN = "[PAD]", "[UNK]"
MARKUP = r"<[^<>]{0,64}>"
"""Reviews hold `<br />`. What cleans a text is part of the tokenizer, so that training and serving agree."""
WORD = r"\w+(?:'\w+)*|[!?.,;:()\"*-]"


def word_tokenizer(texts: Iterable[str], vocabulary: int, least: int = 2) -> Tokenizer:
    """Lower-case words and punctuation marks that occur at least `least` times, the most frequent first."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(MARKUP), " "), normalizers.NFKC(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), "removed", invert=True)
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary, min_frequency=least, special_tokens=[PAD, UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@dataclass(frozen=True, slots=True)
class Encoded:
    """Reviews as token ids: those of review i are `ids[starts[i]:starts[i + 1]]`."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each review."""
        return np.diff(self.starts)

    def row(self, index: int) -> NDArray[np.int32]:
        """The token ids of one review."""
        return self.ids[self.starts[index] : self.starts[index + 1]]

    def take(self, rows: NDArray[np.int64]) -> Encoded:
        """Some of the reviews, in the order of `rows`."""
        parts = [self.row(index) for index in rows]
        starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        ids = np.concatenate(parts) if parts else np.zeros(0, np.int32)
        return Encoded(ids, starts, self.labels[rows])

    def padded(self, rows: Sequence[int] | NDArray[np.int64], pad: int = 0) -> tuple[Ids, Ids]:
        """`input_ids` and `attention_mask`, int64, of these reviews, as wide as the longest of them."""
        lengths = self.lengths[np.asarray(rows)]
        mask = (np.arange(max(1, lengths.max())) < lengths[:, None]).astype(np.int64)
        ids = np.full(mask.shape, pad, np.int64)
        ids[mask.astype(bool)] = np.concatenate([self.row(index) for index in rows])
        return ids, mask


def encode(tokenizer: Tokenizer, texts: Sequence[str], labels: Sequence[int], title: str) -> Encoded:
    """Token ids of each text, cut as the tokenizer says. A text without a known sign is one unknown token."""
    unknown = tokenizer.token_to_id(UNKNOWN) or 0
    rows: list[NDArray[np.int32]] = []
    step = 1000
    for start in log.progress(range(0, len(texts), step), f"tokenise {title}", -(-len(texts) // step)):
        for encoding in tokenizer.encode_batch_fast(list(texts[start : start + step])):
            rows.append(np.array(encoding.ids or [unknown], np.int32))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Encoded(np.concatenate(rows), starts, np.array(labels, np.int64))
