"""What AWS asks for what pipelines use most: public on-demand prices, each with its date and source.

`prices.tsv` is made by `python -m mlopsgen.aws.refresh prices`, from AWS's public price files, or holds what
a page of AWS says; its head tells. A contract's own prices come from a file of the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, cast

HOURS = 730
"""Hours of a month, as AWS's own calculator has them."""

EVERYWHERE = "*"
"""In place of a region: every region of AWS's commercial partition."""

_HERE = Path(__file__).parent


class Price(NamedTuple):
    """What one unit costs."""

    usd: Decimal
    per: Literal["hour", "month"]
    date: str
    """The day on which it was so, such as `2026-07-20`."""
    source: str

    @property
    def monthly(self) -> Decimal:
        """For a month of 730 hours."""
        return self.usd * HOURS if self.per == "hour" else self.usd


class Unpriced(Exception):
    """A file of prices cannot be read. The text says which line is wrong, and how."""


def prices(region: str) -> Mapping[str, Price]:
    """The prices of a region by the name of the unit, such as `nat-gateway` or `ec2:m7g.large`."""
    return {**_own().get(EVERYWHERE, {}), **_own().get(region, {})}


def read(text: str, name: str) -> dict[str, dict[str, Price]]:
    """Prices by region and unit, from the lines of a file.

    Its fields are region, unit, USD, `hour` or `month`, date and source, parted by tabs. Empty lines and
    those that begin with `#` are skipped. Raises `Unpriced`.
    """
    found: dict[str, dict[str, Price]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 6:
            raise Unpriced(
                f"{name}:{number}: {len(fields)} fields; give region, unit, USD, `hour` or `month`, date and "
                "source, parted by tabs"
            )
        region, unit, usd, per, date, source = (each.strip() for each in fields)
        try:
            amount = Decimal(usd)
        except InvalidOperation:
            raise Unpriced(f"{name}:{number}: `{usd}` is no number") from None
        if not amount.is_finite() or amount < 0:
            raise Unpriced(f"{name}:{number}: a price is a number that is not below zero")
        if per not in ("hour", "month"):
            raise Unpriced(f"{name}:{number}: `{per}` is neither `hour` nor `month`")
        found.setdefault(region, {})[unit] = Price(amount, cast(Literal["hour", "month"], per), date, source)
    return found


@cache
def _own() -> dict[str, dict[str, Price]]:
    return read((_HERE / "prices.tsv").read_text(), "prices.tsv")
