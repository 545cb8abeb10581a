"""CloudFormation's `{{resolve:…}}`: filled in at deployment, in whatever property a value comes to stand.

What it resolves to would lie in the open in task definitions and in the history of stacks, so that no value
may hold one; the language reads secrets when a task starts.
"""

from __future__ import annotations

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import Span
from mlopsgen.language.wording import error


def is_dynamic_reference(value: object) -> bool:
    """Whether CloudFormation would take a part of the value for a reference."""
    return isinstance(value, str) and "{{resolve:" in value


def dynamic_reference(span: Span) -> Diagnostic:
    """The fault of such a value."""
    message = "`{{resolve:` cannot stand in a value"
    help_ = "a task reads secrets when it starts: `secrets: {NAME: {secret: …}}`, or `{parameter: …}`"
    return error("E118", message, help_, Label(span))
