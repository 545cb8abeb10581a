"""What is told of a pipeline that was edited while it runs."""

from __future__ import annotations

from mlopsgen.local.changes import changes, unfollowed


def test_changes_are_told_by_their_paths() -> None:
    """Items of lists by their names; what came and what went too."""
    before = {"services": [{"name": "api", "replicas": {"min": 2}}], "aws": {"region": "eu-west-1"}}
    now = {
        "services": [{"name": "api", "replicas": {"min": 3}}, {"name": "web"}],
        "aws": {"region": "eu-west-1", "account": "123456789012"},
    }
    assert list(changes(before, now, "spec")) == [
        "spec.services[api].replicas.min: 2 -> 3",
        'spec.services[web]: nothing -> {"name": "web"}',
        'spec.aws.account: nothing -> "123456789012"',
    ]


def test_jobs_and_models_are_followed() -> None:
    """Every training reads them anew, so that there is nothing to tell."""
    before = {"jobs": [{"name": "a"}], "models": [], "capacity": [1]}
    assert unfollowed(before, {"jobs": [], "models": [{"name": "m"}], "capacity": [2]}) == (
        "spec.capacity: [1] -> [2]",
    )
