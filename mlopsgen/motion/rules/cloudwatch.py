"""Alarms."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on

_ALARM = "AWS::CloudWatch::Alarm"


@on(
    "rollback-without-alarm",
    "silent",
    ("delete",),
    (_ALARM,),
    instead="let the service name it no longer first",
    source="Amazon ECS API reference, DeploymentAlarms",
)
def _rollback(event: Event) -> Iterator[Said]:
    """A service whose deployments an alarm rolls back has none when it is gone."""
    for each in event.world.of("AWS::ECS::Service"):
        if each.stack and event.old.ref() in each.items("DeploymentConfiguration", "Alarms", "AlarmNames"):
            yield Said(f"{each.title} rolls back by it")


@on(
    "rings-for-nothing",
    "silent",
    ("create",),
    (_ALARM,),
    instead="a warm-up as long as its window, or `notBreaching` until the first data point",
    source='CloudWatch user guide, "Configuring how alarms treat missing data"',
)
def _rings(event: Event) -> Iterator[Said]:
    """An alarm that takes missing data for a fault rings before there can be any."""
    words = (event.new.word(each) for each in ("Period", "EvaluationPeriods"))
    period, periods = (int(each) if each.isdigit() else 0 for each in words)
    warm = event.new.word("WarmUpConfiguration", "WarmUpPeriodDurationInMinutes")
    window = period * periods // 60
    covered = warm.isdigit() and int(warm) >= window
    if event.new.word("TreatMissingData") == "breaching" and window > 24 * 60 and not covered:
        yield Said(
            "its window begins before it was there", assumption="nothing is measured in its first days"
        )
