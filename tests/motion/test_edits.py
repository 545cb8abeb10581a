"""Edits of known pipelines, there and back: what is compiled can be deployed, changed and changed back."""

from __future__ import annotations

from functools import cache

import pytest

from mlopsgen.language.base import Later
from mlopsgen.model.pipeline import PipelineSpec
from mlopsgen.motion.live import Account
from mlopsgen.motion.outcome import Action
from mlopsgen.motion.replay import Forecast, deploy, settled
from mlopsgen.motion.stacks import Delivery, TemplateSet
from tests.cases import ROOT
from tests.motion.known import Edit, base, bases, changed, compiled, edits, pairs

DELIVERIES = {
    "pruned": Delivery(prunes="around", imports=True, releases=True),
    "left": Delivery(prunes="never", imports=True, releases=True),
}
GUARDS = frozenset({
    "AWS::EC2::Subnet", "AWS::EC2::VPC", "AWS::ECR::Repository", "AWS::EFS::FileSystem", "AWS::KMS::Key",
    "AWS::S3::Bucket",
})  # fmt: skip
"""What `deploy.sh` protects; the edits are deployed without, as they are meant."""
STEPS = ROOT / "tests" / "golden" / "steps.txt"
HEAD = """\
# What each edit of edits.yaml does, by stack: + create, ~ update, / replace, - delete, = retain, i import.
# Not alarms, dashboards, values in SSM, rules of events and of security groups, which follow the rest.
# `protected at` is the stack whose policy refuses it, unless `protection.stacks` is false.
"""
EDITS = {each.title: each for each in edits()}

MARKS: dict[Action, str] = {
    "create": "+", "update": "~", "interrupt": "~", "replace": "/", "delete": "-", "retain": "=",
    "orphan": "o", "import": "i",
}  # fmt: skip
PLUMBING = frozenset({
    "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress", "AWS::Events::Rule", "AWS::SSM::Parameter",
})  # fmt: skip
"""What follows other things, however they are wired."""


@cache
def first(name: str) -> Account:
    """An account with a pipeline in it."""
    return settled(Account(), base(name))


@cache
def life(title: str, delivery: str) -> tuple[Forecast, Forecast]:
    """What an edit does, and what taking it back does to the account that it left."""
    edit = EDITS[title]
    assert isinstance(edit.compiled, TemplateSet)
    return there_and_back(edit.base, edit.compiled, DELIVERIES[delivery])


def there_and_back(name: str, new: TemplateSet, delivery: Delivery) -> tuple[Forecast, Forecast]:
    there = deploy(first(name), new, delivery, base(name))
    return there, deploy(there.account, base(name), delivery, new)


def stopping(found: Forecast) -> list[str]:
    """The rules that stop a deployment, each once."""
    return sorted({each.rule for each in found.failures})


def test_there_are_enough():
    """Each pipeline has edits, more than 150 all together, and each section of the language is in some."""
    assert len(EDITS) >= 150
    assert {each.base for each in edits()} == set(bases())
    words = [each.words for each in edits()]
    paths = [path for each in words for key in ("add", "drop", "rename", "set") for path in each.get(key, ())]
    sections = {path.partition(".")[0] for path in paths}
    built = {
        str(each.alias)
        for each in PipelineSpec.model_fields.values()
        if not any(isinstance(mark, Later) for mark in each.metadata)
    }
    assert built - {"environments"} <= sections


@pytest.mark.parametrize("name", sorted(bases()))
def test_first_delivery(name: str):
    """Into an empty account, each pipeline is deployed to its end."""
    found = deploy(Account(), base(name), Delivery())
    assert [each.reason for each in found.failures] == []
    assert {each.action for each in found.steps} == {"create"}


@pytest.mark.parametrize("name", sorted(bases()))
def test_the_same_again(name: str):
    """Deployed once more, nothing happens."""
    found = deploy(first(name), base(name), Delivery())
    assert (found.steps, found.findings) == ((), ())


@pytest.mark.parametrize("title", ["shifts-path", "shifts-label", "shifts-to-internal-public"])
def test_weights_stay_where_ecs_moved_them(title: str):
    """No change of a route sends traffic to the target group where it was before the last deployment."""
    for found in life(title, "pruned"):
        assert "weights-reset" not in {each.rule for each in found.findings}


@pytest.mark.parametrize("title", ["imdb-sentiment-service-cpu", "imdb-sentiment-job-command"])
def test_the_revision_before_stays(title: str):
    """A task definition that is replaced can be gone back to, and a schedule that still names it runs."""
    for found in life(title, "pruned"):
        assert "replace" in {each.action for each in found.steps if each.logical_id == "TaskDefinition"}
        assert "revision-deregistered" not in {each.rule for each in found.findings}


@pytest.mark.parametrize("title", sorted(EDITS))
def test_there_and_back(title: str):
    """An edit and its undoing deploy, or the compiler refuses it, or it is said what stops them."""
    words = EDITS[title].words
    if "refused" in words:
        assert EDITS[title].compiled == words["refused"]
        return
    for name in DELIVERIES:
        for way, found in zip(("there", "back"), life(title, name), strict=True):
            stated = words.get("stops", {}).get(way)
            if stated and not words.get(name):
                assert stopping(found) == sorted(stated), (way, name)
            else:
                # What is known may be mended at any time; nothing else may stop it.
                allowed = set(words.get("known", {}).get(way, ()))
                told = [(way, name, each.stack, each.logical_id, each.reason) for each in found.failures]
                assert set(stopping(found)) <= allowed, told


@pytest.mark.parametrize("title", sorted(each for each, edit in EDITS.items() if "first" in edit.words))
def test_the_steps_that_work(title: str):
    """What stops an edit is gone once another one has been deployed first."""
    edit = EDITS[title]
    first_step = EDITS[f"{edit.base}-{edit.words['first']}"]
    assert isinstance(first_step.compiled, TemplateSet)
    assert isinstance(edit.compiled, TemplateSet)
    for name, delivery in DELIVERIES.items():
        before, _ = life(first_step.title, name)
        then = deploy(before.account, edit.compiled, delivery, first_step.compiled)
        assert (before.failures, then.failures) == ((), ()), name


def test_steps(bless: bool):
    """Each edit changes what `tests/golden/steps.txt` says, and nothing else."""
    told = "".join(
        f"{title}\n{steps(life(title, 'pruned')[0])}{guarded(title)}"
        for title, each in EDITS.items()
        if "refused" not in each.words
    )
    if bless:
        STEPS.write_text(HEAD + told)
    assert told.splitlines() == STEPS.read_text().removeprefix(HEAD).splitlines()


def guarded(title: str) -> str:
    """The stack whose policy refuses an edit, as a line; nothing if none does."""
    edit = EDITS[title]
    assert isinstance(edit.compiled, TemplateSet)
    kinds = {each.type for each in life(title, "pruned")[0].steps if each.action not in ("create", "update")}
    stopped = life(title, "pruned")[0].stopped_at
    if not stopped and not kinds & GUARDS:
        return ""
    delivery = DELIVERIES["pruned"]._replace(guards=GUARDS)
    found = deploy(first(edit.base), edit.compiled, delivery, base(edit.base))
    held = next((each for each in found.failures if each.rule == "stack-policy"), None)
    return f"  protected at {held.stack}\n" if held else ""


def steps(found: Forecast) -> str:
    """The steps by stack, without plumbing, a line for each stack."""
    stacks: dict[str, list[str]] = {}
    for each in found.steps:
        if each.type not in PLUMBING:
            word = f"{MARKS[each.action]}{each.type.rpartition('::')[2]}"
            stacks.setdefault(each.stack, []).append(word)
    lines = [f"  {name}: {' '.join(counted(own))}\n" for name, own in stacks.items()]
    return "".join(lines) + (f"  stops at {found.stopped_at}\n" if found.stopped_at else "")


def counted(words: list[str]) -> list[str]:
    """Each word once, in order, with how often it is there."""
    return [
        f"{word} x{words.count(word)}" if words.count(word) > 1 else word for word in dict.fromkeys(words)
    ]


@pytest.mark.parametrize("name", sorted(bases()))
def test_taken_down_and_brought_back(name: str):
    """An environment can be taken down, and what was kept of it does not stand in the way of the next."""
    nothing = base(name)._replace(stacks=())
    down = deploy(first(name), nothing, Delivery(prunes="first", releases=True), base(name))
    assert down.failures == ()
    assert down.account.stacks == {}
    again = deploy(down.account, base(name), Delivery(imports=True))
    if again.failures:
        # The identity provider is kept, and no template gives its whole ARN, by which it would be imported.
        assert [(each.rule, each.type) for each in again.failures] == [("name-taken", _PROVIDER)]
        existing = EDITS[f"{name}-provider-existing"].compiled
        assert isinstance(existing, TemplateSet)
        assert deploy(down.account, existing, Delivery(imports=True)).failures == ()


_PROVIDER = "AWS::IAM::OIDCProvider"


def touch(one: Edit, other: Edit) -> bool:
    """Whether two edits change something of the same stack, each being good alone."""
    if not all(isinstance(each.compiled, TemplateSet) and good(each) for each in (one, other)):
        return False
    stacks = [{step.stack for step in life(each.title, "pruned")[0].steps} for each in (one, other)]
    return bool(stacks[0] & stacks[1])


def good(edit: Edit) -> bool:
    return not edit.words.keys() & {"known", "refused", "stops"}


def test_pairs_there_and_back():
    """Two edits of the same stacks deploy at once too, and can be taken back at once."""
    tried = 0
    for one, other in pairs():
        if not touch(one, other):
            continue
        try:
            both = changed(bases()[one.base], one.words, other.words)
        except (KeyError, StopIteration):
            continue  # One takes away what the other changes.
        new = compiled(both)
        if isinstance(new, TemplateSet):
            tried += 1
            for way in there_and_back(one.base, new, DELIVERIES["pruned"]):
                assert way.failures == (), (one.title, other.title)
    assert tried > 40
