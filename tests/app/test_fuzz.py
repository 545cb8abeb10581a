"""The API holds what its own document promises, whatever is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.app.service import Running

OPERATIONS = [
    ("/health", "GET"),
    ("/ready", "GET"),
    ("/metrics", "GET"),
    ("/model", "GET"),
    ("/predict", "POST"),
    ("/explain", "POST"),
]


@pytest.fixture(scope="module")
def api(shared: Running) -> schemathesis.BaseSchema:
    """The document as the service gives it."""
    return schemathesis.openapi.from_url(f"{shared.url}/openapi.json")


def test_all_is_covered(api: schemathesis.BaseSchema) -> None:
    """Each operation of the document is fuzzed."""
    found = [(each.ok().path, each.ok().method.upper()) for each in api.get_all_operations()]
    assert sorted(found) == sorted(OPERATIONS)


RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        *((path, method, RIGHT) for path, method in OPERATIONS),
        # What takes no input cannot be asked wrongly.
        *((path, method, WRONG) for path, method in OPERATIONS if method == "POST"),
    ],
)
def test_promises(api: schemathesis.BaseSchema, path: str, method: str, mode: GenerationMode) -> None:
    """No request, right or wrong, makes it fail; every answer has a documented status and shape."""
    operation = api[path][method]
    answered = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=40 if method == "POST" else 5,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def fuzz(case: schemathesis.Case) -> None:
        nonlocal answered
        case.call_and_validate()
        answered += 1

    fuzz()
    assert answered > 0
