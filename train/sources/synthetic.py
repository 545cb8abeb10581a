"""Generated reviews, the same on every machine: enough to run everything without data or network.

A model that does well on them says nothing about real reviews; the manifest names them as its source.
"""

from __future__ import annotations

import random

from train.sources.reviews import Review, Reviews

VERSION = 1

GOOD = (
    "wonderful", "superb", "moving", "brilliant", "charming", "gripping", "delightful", "touching",
    "hilarious", "stunning", "clever", "excellent", "memorable", "beautiful", "perfect", "fresh",
)  # fmt: skip
BAD = (
    "dreadful", "boring", "clumsy", "awful", "tedious", "predictable", "terrible", "lifeless", "annoying",
    "dull", "painful", "pointless", "cheap", "forgettable", "ridiculous", "weak",
)  # fmt: skip
THINGS = (
    "plot", "script", "acting", "cast", "photography", "score", "dialogue", "ending", "pacing", "lead",
    "direction", "editing", "villain", "opening scene", "second half", "love story", "soundtrack", "humour",
)  # fmt: skip
PLAIN = (
    "It runs for about {n} minutes.",
    "I saw it with {n} friends on a rainy evening.",
    "The story starts in a small town and ends in the city.",
    "It was shot in {n} weeks, or so I have read.",
    "My brother had told me about the book before.",
    "There were {n} people in the cinema.",
    "The film is set in the year 19{n}.",
    "A detective, a singer and a dog share a house by the sea.",
    "I watched it twice, once in French.",
    "The director had made documentaries before.",
)
JUDGED = (
    "The {thing} is {word}.",
    "I found the {thing} {word}.",
    "What a {word} {thing}!",
    "The {thing} and the {thing} were both {word}.",
    "Its {thing} stays {word} from start to end.",
    "Honestly, the {thing} seemed {word} to me.",
)
NEGATED = ("The {thing} is not {word} at all.", "I would never call the {thing} {word}.")
GOOD_END = ("I will see it again.", "Do not miss it.", "Ten out of ten.", "Well worth the ticket.")
BAD_END = ("I want my money back.", "Avoid it.", "Two out of ten.", "A waste of an evening.")


def reviews(train: int, test: int) -> Reviews:
    """This many reviews to train on and to test on, half of each kind; no text appears twice."""
    dice = random.Random(VERSION)
    seen: set[str] = set()
    made: list[Review] = []
    while len(made) < train + test:
        label = len(made) % 2
        split = "train" if len(made) < train else "test"
        text = _review(dice, label)
        if text not in seen:
            seen.add(text)
            made.append(Review(text, label, split))
    return Reviews(tuple(made[:train]), tuple(made[train:]))


def _review(dice: random.Random, label: int) -> str:
    sentences = [_sentence(dice, label) for _ in range(dice.randint(4, 10))]
    if dice.random() < 0.4:
        sentences.append(dice.choice(GOOD_END if label else BAD_END))
    glue = "<br /><br />" if dice.random() < 0.15 else " "
    return glue.join(sentences)


def _sentence(dice: random.Random, label: int) -> str:
    kind = dice.random()
    if kind < 0.40:
        return dice.choice(PLAIN).format(n=dice.randint(12, 98))
    if kind < 0.48:  # what the other side would say
        label = 1 - label
    if kind > 0.95:
        return _fill(dice, dice.choice(NEGATED), BAD if label else GOOD)
    return _fill(dice, dice.choice(JUDGED), GOOD if label else BAD)


def _fill(dice: random.Random, pattern: str, words: tuple[str, ...]) -> str:
    while "{thing}" in pattern:
        pattern = pattern.replace("{thing}", dice.choice(THINGS), 1)
    return pattern.replace("{word}", dice.choice(words))
