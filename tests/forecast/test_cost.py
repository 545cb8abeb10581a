"""What costs more or less, in units, and in money where a price is known."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mlopsgen.aws.prices import Unpriced, prices, read
from mlopsgen.forecast.forms import words
from mlopsgen.forecast.outlook import Outlook, outlook
from mlopsgen.forecast.reviewed import Reviewed
from mlopsgen.forecast.sides import sides
from tests.forecast.known import BASE, edited


def seen(*changes: tuple[str, str], contract: str = "", base: str = BASE) -> Outlook:
    own = read(contract, "own.tsv") if contract else None
    both = sides(Reviewed("main", {}, base), edited(base, *changes), "pipeline.yaml", None, own)
    return outlook(both, "prod")


def units(found: Outlook) -> list[str]:
    return [each.cost.sentence for each in found.meant.costs]


def test_scaling_gives_a_range():
    """From two to four replicas to one to fourteen: less at least, more at most."""
    found = seen(("min: 2, max: 4, metrics", "min: 1, max: 14, metrics"))
    name = "of 1 vCPU and 2 GiB on Fargate (api)"
    assert units(found) == [f"at least 1 task {name} less, up to 10 tasks {name} more"]
    money = found.meant.money
    assert money is not None
    # 730 hours of a vCPU and two GiB.
    one = 730 * (Decimal("0.04048") + 2 * Decimal("0.004445"))
    assert (money.low, money.high) == (-one, 10 * one)
    assert words.money(found) == f"a month: -{one:.2f} USD at least, +{10 * one:.2f} USD at most"


def test_a_gateway_in_each_zone():
    """One more, with its address."""
    found = seen(("natGateways: single", "natGateways: perZone"))
    assert units(found) == ["1 public IPv4 address more", "1 NAT gateway more"]
    assert words.money(found) == f"a month: +{730 * (Decimal('0.005') + Decimal('0.045')):.2f} USD"


def test_instances_of_a_pool():
    """A pool's instances, from its least to its most, by type."""
    pool = "  capacity: [{name: gpu, ec2: {instanceTypes: [g5.xlarge], max: 3}}]\n  images:"
    found = seen(("max: 3", "max: 5"), base=edited(BASE, ("  images:", pool)))
    assert units(found) == ["up to 2 instances g5.xlarge (cluster) more"]


def test_what_is_unknown_is_said():
    """Where no price is known, no sum is given."""
    found = seen(
        ("natGateways: single", "natGateways: perZone"), base=edited(BASE, ("us-east-1", "eu-west-1"))
    )
    assert words.money(found) == "a month: unknown, since no price is known here of: NAT gateway"


def test_a_contracts_own_prices_go_first():
    """A file of the same form says what one's own contract says."""
    contract = (
        "*\tnat-gateway\t0.01\thour\t2026-01-01\tour contract\n*\tpublic-ipv4\t0\thour\t2026-01-01\tours\n"
    )
    found = seen(("natGateways: single", "natGateways: perZone"), contract=contract)
    assert words.money(found) == "a month: +7.30 USD"


def test_every_price_has_a_date_and_a_source():
    """Prices age: each says since when it is known, and where it stands."""
    for region in ("us-east-1", "eu-west-1"):
        for name, each in prices(region).items():
            assert each.source.startswith("https://"), name
            assert len(each.date) == len("2026-01-01"), name


WRONG = {
    "us-east-1\tnat-gateway\t0.045\thour\n": "own.tsv:1: 4 fields",
    "# prices\nus-east-1\tnat-gateway\tfree\thour\t2026-01-01\tours\n": "own.tsv:2: `free` is no number",
    "us-east-1\tnat-gateway\t-1\thour\t2026-01-01\tours\n": "own.tsv:1: a price is a number that is",
    "us-east-1\tnat-gateway\tnan\thour\t2026-01-01\tours\n": "own.tsv:1: a price is a number that is",
    "us-east-1\tnat-gateway\t1\tday\t2026-01-01\tours\n": "own.tsv:1: `day` is neither `hour` nor `month`",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_of_prices(text: str):
    """It names the line, and what is wrong there."""
    with pytest.raises(Unpriced) as found:
        read(text, "own.tsv")
    assert str(found.value).startswith(WRONG[text])
