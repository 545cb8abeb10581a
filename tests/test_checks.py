"""The facts that rules rest on, held against what carries them too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from mlopsgen.aws import cron
from mlopsgen.aws.instance_types import regions
from mlopsgen.checks import network, schedules, storage
from mlopsgen.checks.ingress import TARGET_GROUPS
from mlopsgen.components.network import subnets
from mlopsgen.ecs.load_balancer import MAX_PRIORITY, priorities
from mlopsgen.spec.services import ServiceSpec
from mlopsgen.spec.storage import TransitionSpec


@pytest.mark.parametrize("length", range(16, 29))
def test_an_accepted_vpc_has_room_for_four_zones(length: int):
    """The sizes that are accepted are those from which every zone gets its subnets."""
    try:
        found = len(subnets(f"10.0.0.0/{length}")) == 4
    except ValueError:
        found = False
    assert found == (length in network.VPC_PREFIXES)


def test_retentions_are_those_of_cloudwatch():
    """The days that are accepted are those in the registry's schema of a log group."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Logs::LogGroup").schema
    assert schema["properties"]["RetentionInDays"]["enum"] == list(storage.RETENTION)


def test_every_storage_class_has_its_place():
    """Each class that the language knows stands in the order of transitions."""
    assert set(get_args(TransitionSpec.model_fields["storage_class"].annotation)) == set(storage.CLASSES)


def test_zones_are_those_of_moto():
    """Regions with more or fewer than three zones are named."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

    zones = {name: len(found) for name, found in RegionsAndZonesBackend.zones.items() if name in regions()}
    assert {name: count for name, count in zones.items() if count != 3} == network.ZONES


def test_every_time_zone_is_one():
    """Each name that is accepted can be opened as a time zone."""
    assert {"UTC", "Asia/Ho_Chi_Minh", "Europe/Dublin", "America/New_York"} <= schedules.zones()
    for name in sorted(schedules.zones()):
        assert datetime(2026, 1, 1, tzinfo=ZoneInfo(name)).utcoffset() is not None


def test_full_load_balancers_have_priorities_for_all():
    """As many services as are accepted behind both load balancers get each a priority of their own."""
    services = [
        ServiceSpec.model_validate(
            {
                "name": f"s{number}",
                "image": {"build": {"context": "app"}},
                "ingress": {"scheme": scheme, "path": path},
            }
        )
        for number, (scheme, path) in enumerate(
            (scheme, f"/{number:03}")
            for scheme in ("internet-facing", "internal")
            for number in range(TARGET_GROUPS)
        )
    ]
    found = priorities(services)
    for scheme in ("internet-facing", "internal"):
        given = [found[each.name] for each in services if each.ingress and each.ingress.scheme == scheme]
        assert len(set(given)) == TARGET_GROUPS
        assert max(given) <= MAX_PRIORITY


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
