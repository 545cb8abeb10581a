"""The catalogue of codes: the story of each, from the room that says it."""

from __future__ import annotations

from functools import cache

from mlopsgen.diagnostics.finding import Story
from mlopsgen.rules.registry import plan_rules, spec_rules

_KINDS = {
    "E0": "Reading the file",
    "E1": "The shape of the document",
    "E2": "Between components",
    "E3": "What AWS takes",
    "W": "Warnings",
}


@cache
def stories() -> dict[str, Story]:
    """Each code's story, by code: errors first."""
    # Rules are looked for in this package too, in every build: whoever compiles reads no stories.
    from mlopsgen.components.patches.stories import STORIES as PATCHES
    from mlopsgen.language.stories import STORIES as SHAPE
    from mlopsgen.source.stories import STORIES as READING

    ruled = {each.code: each.story for each in spec_rules()} | {
        each.code: each.story for each in plan_rules()
    }
    return dict(sorted((READING | SHAPE | PATCHES | ruled).items()))


def titles() -> dict[str, str]:
    """Each code's title."""
    return {code: each.title for code, each in stories().items()}


def reference() -> str:
    """The whole catalogue as Markdown."""
    parts = [
        "# Codes",
        "Every fault that mlopsgen finds has a code. `mlopsgen explain CODE` prints what stands here. Codes "
        "that start with E reject the pipeline; those that start with W are warnings, and nothing is rejected "
        "for them. The examples are parts of a pipeline, laid over a sound one. This page is written from the "
        "stories that stand beside the rules.",
    ]
    for prefix, kind in _KINDS.items():
        parts.append(f"## {kind}")
        parts += [_section(code, each) for code, each in stories().items() if code.startswith(prefix)]
    return "\n\n".join(parts) + "\n"


def _section(code: str, told: Story) -> str:
    parts = [f"### {code}: {told.title}", told.text]
    for word, example in (("Wrong", told.wrong), ("Right", told.right)):
        if example:
            parts += [f"{word}:", f"```yaml\n{example}\n```"]
    if told.source:
        parts.append(f"Decided by {told.source()}.")
    return "\n\n".join(parts)
