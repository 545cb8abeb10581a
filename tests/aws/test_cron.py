"""crontab in, EventBridge out: the same moments, or a reason why not."""

import re

import pytest

from mlopsgen.aws.cron import longest_gap, to_eventbridge

HOUR = 3600
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("crontab", "expression"),
    [
        ("0 3 * * 0", "cron(0 3 ? * SUN *)"),
        ("0 3 * * 7", "cron(0 3 ? * SUN *)"),
        ("0 3 * * sun", "cron(0 3 ? * SUN *)"),
        ("0 3 * * *", "cron(0 3 * * ? *)"),
        (" 0\t3  * *\n*", "cron(0 3 * * ? *)"),
        ("05 03 * * *", "cron(5 3 * * ? *)"),
        ("0 3 * * 1-5", "cron(0 3 ? * MON-FRI *)"),
        ("0 3 * * 6-7", "cron(0 3 ? * SUN,SAT *)"),
        ("0 3 * * sat-sun", "cron(0 3 ? * SUN,SAT *)"),
        ("0 3 * * 0-7", "cron(0 3 * * ? *)"),
        ("30 2 * * */2", "cron(30 2 ? * SUN,TUE,THU,SAT *)"),
        ("*/15 * * * *", "cron(0/15 * * * ? *)"),
        ("0 9-17/2 * jan-mar *", "cron(0 9,11,13,15,17 * 1-3 ? *)"),
        ("0 3 1,15 * *", "cron(0 3 1,15 * ? *)"),
        ("0 3 */10 * *", "cron(0 3 1/10 * ? *)"),
        ("0,30 8-10,14 * * 1", "cron(0,30 8,9,10,14 ? * MON *)"),
        ("0 0 29 2 *", "cron(0 0 29 2 ? *)"),
    ],
)
def test_the_same_moments_in_eventbridges_words(crontab: str, expression: str) -> None:
    """Sunday is 0 and 7 in crontab, and SUN in EventBridge; one of the two fields for days is `?`."""
    assert to_eventbridge(crontab) == expression


@pytest.mark.parametrize(
    ("crontab", "says"),
    [
        ("0 3 1 * 1", "the day of month and the day of week are both given, which AWS cannot express"),
        ("0 3 */2 * 1", "both given"),
        ("61 * * * *", "`61` is no minute: expected 0-59"),
        ("0 24 * * *", "`24` is no hour: expected 0-23"),
        ("0 3 * * 8", "expected 0-7, or SUN-SAT"),
        ("0 3 ? * 1", "crontab writes `*` where EventBridge writes `?`"),
        ("@daily", "expected five fields"),
        ("0 3 L * *", "crontab has no L, W or #"),
        ("0 3 * * mon#1", "crontab has no L, W or #"),
        ("5/20 * * * *", "does not say how far it steps: write the range, `5-59/20`"),
        ("30-10 * * * *", "runs backwards"),
        ("*/0 * * * *", "has a step of 0: expected 1-59 in the minute"),
        ("*/90 * * * *", "has a step of 90: expected 1-59 in the minute"),
        ("0 0 30 2 *", "this would never happen"),
        ("0 0 31 4,6 *", "this would never happen"),
        ("0 3 * * 1,", "`` is no day of week"),
        ("0 3 * * 1;reboot", "is no day of week"),
        ("٣ * * * *", "is no minute"),
        ("0-57,59 0-21,23 1-28,30 * *", "more than the 256 characters"),
    ],
)
def test_what_eventbridge_cannot_express_is_refused_with_the_reason(crontab: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        to_eventbridge(crontab)


@pytest.mark.parametrize(
    ("crontab", "gap"),
    [
        ("*/15 * * * *", 900),
        ("0 3 * * *", DAY),
        ("0 3,9 * * *", 18 * HOUR),
        ("0 3 * * 1-5", 3 * DAY),
        ("0 3 * * 0", 7 * DAY),
        ("0 3 1 * *", 31 * DAY),
        ("0 0 29 2 *", 1461 * DAY),
    ],
)
def test_the_longest_silence_between_two_starts_is_known(crontab: str, gap: int) -> None:
    assert longest_gap(crontab) == gap
