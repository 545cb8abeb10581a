"""What every section of the language shares: closed maps, and the marks that say how a field is read."""

from functools import cache
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator


def camel(name: str) -> str:
    """`keep_images` as the file spells it: `keepImages`; `for_`, which Python keeps for itself, as `for`."""
    head, *rest = name.removesuffix("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


class Spec(BaseModel):
    """A closed map: unknown keys are errors, no scalar is converted, and values never change.

    Lists are tuples, in the documents that are validated too.
    """

    model_config = ConfigDict(
        alias_generator=camel,
        defer_build=True,
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_name=True,
    )


# No mark equals another: typing takes annotations with equal marks for one. Dataclasses would do, and take
# fifty times as long to make.
class Filled:
    """Marks a string in which `${…}` is filled in."""


class Choice:
    """Marks a key of which exactly one may stand in its map; `default` is the one when none does."""

    def __init__(self, default: bool = False) -> None:
        self.default: Final = default


class Later:
    """Marks a key that the language has reserved and that is not built yet: using it says "not yet"."""


class LaterWords:
    """Marks a key some of whose words the language has reserved: using one of them says "not yet"."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words: Final = words


class Same:
    """Marks a key that is the same in all environments: one that changes it is an error."""


class Varies:
    """Marks a key below one that is `Same` which an environment may change nevertheless."""


class Implied:
    """Marks a list some of whose things are there without being declared, once something uses them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names: Final = names


class Called:
    """Marks a type with the word that the reference has for it."""

    def __init__(self, word: str) -> None:
        self.word: Final = word


Name = Annotated[str, Called("name"), Field(pattern=r"^[a-z](-?[a-z0-9])*$", max_length=32)]
"""Lowercase letters, digits and single hyphens, as Kubernetes names are; at most 32 characters."""

Text = Annotated[str, Filled()]
"""A string in which `${…}` is filled in."""


class Item(Spec):
    """A thing of a list that the file refers to by its name, in all environments or in some."""

    name: Name
    """Its name, unique in its list."""

    environments: tuple[Name, ...] = ()
    """The environments that have it; all of them when it is left out. In the base alone."""


class Empty(Spec):
    """A map without keys: that it stands there says everything."""


class Either(Spec):
    """A map in which one of the keys marked as choices stands: if none does, the one that is the default."""

    @model_validator(mode="before")
    @classmethod
    def _with_default_choice(cls, value: object) -> object:
        words, default = _choices(cls)
        if isinstance(value, dict) and default and words.isdisjoint(value):
            return {**value, default: {}}
        return value


@cache
def _choices(model: type[Spec]) -> tuple[frozenset[str], str | None]:
    """The words of a map's choices, as the file and as Python spell them, and the default one's."""
    words: set[str] = set()
    default = None
    for name, field in model.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, Choice):
                words |= {name, field.alias or name}
                default = (field.alias or name) if mark.default else default
    return frozenset(words), default


def _lists(value: object) -> object:
    match value:
        case tuple() | list():
            return [_lists(item) for item in value]
        case dict():
            return {key: _lists(item) for key, item in value.items()}
        case _:
            return value


Json = Annotated[JsonValue, Called("json"), BeforeValidator(_lists)]
"""Anything that JSON can say, handed on as it is."""

NotYet = Annotated[Json | None, Later()]
"""A key that is reserved: it is known, and using it answers "not yet"."""
