"""The facts that rules rest on, held against what carries them too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from mlopsgen.aws import cron
from mlopsgen.aws.instance_types import regions
from mlopsgen.compile import compile_pipeline
from mlopsgen.components.balancers.rules import HIGHEST
from mlopsgen.components.buckets.rules import CLASSES
from mlopsgen.components.buckets.spec import TransitionSpec
from mlopsgen.components.jobs.rules import zones
from mlopsgen.components.monitoring.rules import RETENTION
from mlopsgen.components.network.resources import subnets
from mlopsgen.components.network.rules import VPC_PREFIXES, ZONES
from mlopsgen.parts.balancers import FIRST, LAST, Match, numbers


@pytest.mark.parametrize("length", range(16, 29))
def test_an_accepted_vpc_has_room_for_four_zones(length: int):
    """The sizes that are accepted are those from which every zone gets its subnets."""
    try:
        found = len(subnets(f"10.0.0.0/{length}")) == 4
    except ValueError:
        found = False
    assert found == (length in VPC_PREFIXES)


def test_retentions_are_those_of_cloudwatch():
    """The days that are accepted are those in the registry's schema of a log group."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Logs::LogGroup").schema
    assert schema["properties"]["RetentionInDays"]["enum"] == list(RETENTION)


def test_every_storage_class_has_its_place():
    """Each class that the language knows stands in the order of transitions."""
    assert set(get_args(TransitionSpec.model_fields["storage_class"].annotation)) == set(CLASSES)


def test_zones_are_those_of_moto():
    """Regions with more or fewer than three zones are named; of Beijing moto has an older number."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

    counts = {name: len(found) for name, found in RegionsAndZonesBackend.zones.items() if name in regions()}
    assert {name: count for name, count in counts.items() if count != 3} == {**ZONES, "cn-north-1": 2}


def test_every_time_zone_is_one():
    """Each name that is accepted can be opened as a time zone."""
    assert {"UTC", "Asia/Ho_Chi_Minh", "Europe/Dublin", "America/New_York"} <= zones()
    for name in sorted(zones()):
        assert datetime(2026, 1, 1, tzinfo=ZoneInfo(name)).utcoffset() is not None


# From the narrowest: a name before a wildcard, of them the longer one, every host last; so with paths.
HOSTS = ("a.example.com", "*.b.example.com", "*.example.com", "")
PATHS = ("/a/b/c", "/a/b", "/a", "")


def test_narrower_rules_are_tried_first():
    """Whatever host and path a rule is for, its numbers are below those of every rule that lies around it."""
    found = [
        numbers(Match((host,) if host else (), (path,) if path else ())) for host in HOSTS for path in PATHS
    ]
    ranges = [each for each in found if each is not None]
    assert len(ranges) == len(found)
    assert all(before.stop <= after.start for before, after in pairwise(ranges))
    assert ranges[-1].stop == LAST + 1
    assert ranges[0].start >= FIRST
    assert 1 < FIRST < LAST < HIGHEST


ROUTES = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  images: [{name: app}]
  services:
"""


def test_neighbours_never_move_a_rule():
    """A service's rules have the same priorities alone as among many, and each has one of its own."""
    lines = [
        f"    - {{name: s{each}, image: app, ingress: [{{name: web, paths: [/{each}]}}]}}\n"
        for each in range(40)
    ]
    together = priorities(ROUTES + "".join(lines))
    assert len(set(together.values())) == len(together) == 40
    for number in (0, 7, 39):
        assert priorities(ROUTES + lines[number]).items() <= together.items()


def priorities(text: str) -> dict[str, int]:
    """The priority of each service's listener rule."""
    (compilation,) = compile_pipeline(text, "pipeline.yaml")
    return {
        stack.name: each.properties["Priority"]
        for stack in compilation.plan.stacks
        for each in stack.resources
        if each.type == "AWS::ElasticLoadBalancingV2::ListenerRule"
    }


CRONTABS = [
    "0 3 * * 0",
    "30 2 * * *",
    "0 * * * *",
    "*/5 9-17 * * *",
    "59 23,0 * * *",
    "0 0 1,2 * *",
    "15 4 * * 1-5",
]


@pytest.mark.parametrize("crontab", CRONTABS)
def test_shortest_gap_is_the_shortest(crontab: str):
    """Of all starts in four months no two are closer than is said, and some are as close."""
    found = cron.parse(crontab)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = (start + timedelta(minutes=count) for count in range(120 * 24 * 60))
    starts = [
        each
        for each in minutes
        if (found.minutes is None or each.minute in found.minutes)
        and (found.hours is None or each.hour in found.hours)
        and (found.days is None or each.day in found.days)
        and (found.weekdays is None or each.isoweekday() % 7 in found.weekdays)
    ]
    shortest = min(after - before for before, after in pairwise(starts))
    assert shortest == timedelta(seconds=cron.shortest_gap(crontab))
