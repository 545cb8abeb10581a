"""Which words mattered: each is left out in turn, and the model is asked again."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

WORD = re.compile(r"\S+\s*")

Ask = Callable[[Sequence[str]], Awaitable[Sequence[float]]]
"""The probability of the label in question for each of some texts."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the text, and how much more likely, in log-odds, it makes the label."""

    text: str
    weight: float


async def explain(text: str, probability: float, ask: Ask, budget: int) -> list[Part]:
    """The text in parts that join to the whole; `probability` is the label's for the whole text.

    Words are left out one by one. A text of more than `budget` words is first searched in stretches; then
    the stretches that matter most are searched word by word, as far as the budget goes.
    """
    lead = text[: len(text) - len(text.lstrip())]
    words = WORD.findall(text)
    if len(words) <= budget:
        spans = [(place, place + 1) for place in range(len(words))]
        return _parts(
            lead, words, dict(zip(spans, await _weigh(words, spans, probability, ask), strict=True))
        )
    length = math.ceil(len(words) / (budget // 2))
    stretches = [(start, min(start + length, len(words))) for start in range(0, len(words), length)]
    found = dict(zip(stretches, await _weigh(words, stretches, probability, ask), strict=True))
    closer: list[tuple[int, int]] = []
    for start, end in sorted(found, key=lambda span: -abs(found[span])):
        if len(closer) + end - start > budget - len(stretches):
            break
        closer += [(place, place + 1) for place in range(start, end)]
        del found[start, end]
    found |= zip(closer, await _weigh(words, closer, probability, ask), strict=True)
    return _parts(lead, words, found)


async def _weigh(
    words: Sequence[str], spans: Sequence[tuple[int, int]], probability: float, ask: Ask
) -> list[float]:
    """For each span, by how much the label's log-odds fall without it."""
    without = ["".join([*words[:start], *words[end:]]) for start, end in spans]
    return [_log_odds(probability) - _log_odds(each) for each in await ask(without)] if spans else []


def _parts(lead: str, words: Sequence[str], weights: dict[tuple[int, int], float]) -> list[Part]:
    parts = [Part("".join(words[start:end]), round(weights[start, end], 4)) for start, end in sorted(weights)]
    return [Part(lead, 0.0), *parts] if lead else parts


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))
