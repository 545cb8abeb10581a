"""What a rule is: a small function that yields findings, with its code and its story. It never raises.

Rules stand in `components/*/rules.py` and in this package. One is found by being a `Rule` there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.diagnostic import Severity
from mlopsgen.diagnostics.finding import Finding, Story, story
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.discovery import modules, parts
from mlopsgen.document import Template
from mlopsgen.language.environments import Absent
from mlopsgen.model.plan import Plan
from mlopsgen.model.site import Site


class Scene(NamedTuple):
    """What a rule on the spec looks at: one environment among all, and the file's folder."""

    site: Site
    folder: Path | None
    sites: tuple[Site, ...]
    """All environments by name, this one among them."""
    absent: tuple[Absent, ...] = ()
    """What the base declares for other environments alone, and all that is inside it."""
    taken: tuple[Absent, ...] = ()
    """What the base declares and this environment takes away."""

    def unknown(self, at: SpecPath, what: str, name: str, known: Iterable[str], section: str) -> Finding:
        """What to say of a name that is not among `known`, the names of a list called `section`.

        `what` is the word for a thing of the list. Where the base has it for other environments, that is said.
        """
        for each in self.absent:
            if each.path[-1] == name and each.path[-2] == section:
                return Finding(
                    at,
                    f"there is no {what} `{name}` here",
                    f"take it out here, or let the {what} be in this environment too",
                    elsewhere=((each.environments, "it is in other environments alone"),),
                )
        for each in self.taken:
            if each.path[-1] == name and each.path[-2] == section:
                return Finding(
                    at,
                    f"there is no {what} `{name}` here",
                    f"take it out here too, or leave `{section}` as the base has it",
                    elsewhere=((each.environments, "taken away here"),),
                )
        return Finding(at, f"no {what} `{name}`", nearest(name, known, plural(what)))

    @property
    def earlier(self) -> tuple[Site, ...]:
        """The environments whose names come before: what holds between two is looked at once."""
        return tuple(each for each in self.sites if each.environment < self.site.environment)


class Planned(NamedTuple):
    """What a rule on the plan looks at: one environment's plan and the text of each of its templates."""

    site: Site
    plan: Plan
    texts: Mapping[str, str]
    """By the name of the stack."""


class TemplateFault(NamedTuple):
    """What is wrong with one resource of a finished template."""

    stack: str
    resource: str
    message: str


S = TypeVar("S")
F = TypeVar("F")


@dataclass(frozen=True)
class Rule(Generic[S, F]):
    """A rule: what it looks at, what it yields, and the story of its code."""

    code: str
    told: tuple[str, str, str, str]
    """The parts of the story, as they stand in the source."""
    find: Callable[[S], Iterable[F]]
    source: Callable[[], str] | None = None
    """Says which table of facts decides, with its version."""

    @property
    def story(self) -> Story:
        """The story of its code, put in order only for who reads it."""
        return story(*self.told, self.source)

    @property
    def severity(self) -> Severity:
        """Codes that start with W are warnings."""
        return "warning" if self.code.startswith("W") else "error"

    def __call__(self, subject: S) -> Iterable[F]:
        return self.find(subject)


class SpecRule(Rule[Scene, Finding]):
    """A rule on the spec of one environment."""


class PlanRule(Rule[Planned, Finding]):
    """A rule on the plan of one environment."""


class TemplateRule(Rule[Mapping[str, Template], TemplateFault]):
    """A rule on the finished templates of one environment, by the name of the stack.

    What breaks it without a patch is a bug of the compiler's.
    """


BROKEN = "E251"
"""The code of a patch that breaks a rule on templates."""


def rule(
    code: str,
    title: str,
    text: str,
    wrong: str = "",
    right: str = "",
    *,
    source: Callable[[], str] | None = None,
) -> Callable[[Callable[[Scene], Iterable[Finding]]], SpecRule]:
    """Make a rule on the spec of a function, with the story of its code; `story` says what the parts are."""
    return lambda find: SpecRule(code, (title, text, wrong, right), find, source)


def plan_rule(
    code: str, title: str, text: str, wrong: str = "", right: str = ""
) -> Callable[[Callable[[Planned], Iterable[Finding]]], PlanRule]:
    """Make a rule on the plan of a function."""
    return lambda find: PlanRule(code, (title, text, wrong, right), find)


def template_rule(find: Callable[[Mapping[str, Template]], Iterable[TemplateFault]]) -> TemplateRule:
    """Make a rule on finished templates of a function; its docstring is its title."""
    return TemplateRule(BROKEN, ((find.__doc__ or "").rstrip("."), "", "", ""), find)


@cache
def rules() -> tuple[Rule[Any, Any], ...]:
    """Every rule, by its code and its name."""
    places = (*parts("rules"), *modules("mlopsgen.rules"))
    found = {id(each): each for place in places for each in vars(place).values() if isinstance(each, Rule)}
    return tuple(sorted(found.values(), key=lambda each: (each.code, each.find.__name__)))


def spec_rules() -> tuple[SpecRule, ...]:
    """The rules on the spec."""
    return tuple(each for each in rules() if isinstance(each, SpecRule))


def plan_rules() -> tuple[PlanRule, ...]:
    """The rules on the plan."""
    return tuple(each for each in rules() if isinstance(each, PlanRule))


def template_rules() -> tuple[TemplateRule, ...]:
    """The rules on finished templates."""
    return tuple(each for each in rules() if isinstance(each, TemplateRule))


def plural(what: str) -> str:
    """`prefix` as `prefixes`; `service or worker` as `services or workers`."""
    words = (f"{each}es" if each.endswith(("s", "x", "ch")) else f"{each}s" for each in what.split(" or "))
    return " or ".join(words)


LISTED = 12
"""How many names a help lists at most."""


def nearest(word: str, known: Iterable[str], kind: str) -> str:
    """The help for an unknown name: the nearest that is known, or all of them."""
    names = sorted(known)
    if close := closest(word, names):
        return f"did you mean `{close}`?"
    more = ", …" if len(names) > LISTED else ""
    return f"known {kind}: {', '.join(names[:LISTED])}{more}" if names else f"declare {kind} first"
