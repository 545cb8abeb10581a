"""Sets of templates are read from the texts of a folder, whatever version wrote them; nothing is executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlopsgen.motion.reading import Unreadable, delivery, read
from mlopsgen.motion.replay import forecast
from mlopsgen.motion.stacks import Delivery
from tests.cases import ROOT

SCRIPT = """\
#!/usr/bin/env bash
set -euo pipefail
PREFIX=shop-prod
REGION=eu-west-1
STACKS=(network
  web)
TAGS=(mlopsgen:environment=prod mlopsgen:pipeline=shop 'owner=the $(shop) team')
aws cloudformation deploy "$@"
"""
NETWORK = """\
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16, EnableDnsSupport: true}
  Id:
    Type: AWS::SSM::Parameter
    Properties: {Name: /shop/vpc, Type: String, Value: !Ref Vpc}
"""
WEB = """\
Parameters:
  VpcId: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::VPC::Id>", Default: /shop/vpc}
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      VpcId: !Ref VpcId
      GroupDescription: !Sub "for ${VpcId}"
      Since: 2026-11-01
      Block: !GetAtt Vpc.CidrBlock
      Zone: !Select [0, !GetAZs ""]
"""
FILES = {"deploy.sh": SCRIPT, "stacks/network.yaml": NETWORK, "stacks/web.yaml": WEB}


def folder(path: Path) -> dict[str, str]:
    """The texts of a folder by their paths in it."""
    files = (each for each in path.rglob("*") if each.is_file())
    return {each.relative_to(path).as_posix(): each.read_text() for each in files}


def test_order_prefix_region_and_tags_are_the_scripts():
    """What `deploy.sh` assigns is read as text, with its quotes."""
    found = read(FILES)
    assert (found.prefix, found.region) == ("shop-prod", "eu-west-1")
    assert [each.name for each in found.stacks] == ["network", "web"]
    assert found.tags == (
        ("mlopsgen:environment", "prod"),
        ("mlopsgen:pipeline", "shop"),
        ("owner", "the $(shop) team"),
    )
    assert found.owner == ("shop", "prod")


def test_tags_are_a_list_in_json():
    """The scripts of today pass them to the AWS CLI as they are."""
    listed = """TAGS='[{"Key":"mlopsgen:pipeline","Value":"shop"},{"Key":"owner","Value":"the $(shop)"}]'"""
    script = SCRIPT.replace(SCRIPT[SCRIPT.index("TAGS=") : SCRIPT.index("\naws")], listed)
    found = read(FILES | {"deploy.sh": script})
    assert found.tags == (("mlopsgen:pipeline", "shop"), ("owner", "the $(shop)"))
    with pytest.raises(Unreadable, match="does not say its TAGS"):
        read(FILES | {"deploy.sh": script.replace("Key", "Name")})


def test_functions_have_their_long_form():
    """CloudFormation's tags become its functions, and a date stays a text."""
    resources = read(FILES).stacks[1].template["Resources"]
    assert isinstance(resources, dict)
    group = resources["Group"]
    assert isinstance(group, dict)
    assert group["Properties"] == {
        "VpcId": {"Ref": "VpcId"},
        "GroupDescription": {"Fn::Sub": "for ${VpcId}"},
        "Since": "2026-11-01",
        "Block": {"Fn::GetAtt": ["Vpc", "CidrBlock"]},
        "Zone": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
    }


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "there is no deploy.sh"),
        (FILES | {"deploy.sh": SCRIPT.replace("PREFIX=shop-prod\n", "")}, "does not say its PREFIX"),
        (FILES | {"deploy.sh": SCRIPT.replace("shop-prod", "$(rm -rf /)")}, "does not say its PREFIX"),
        (FILES | {"deploy.sh": SCRIPT.replace("network\n", "network `id`\n")}, "does not say its STACKS"),
        ({"deploy.sh": SCRIPT, "stacks/web.yaml": WEB}, "deploys network, of which there is no template"),
        (FILES | {"stacks/web.yaml": "a: [b"}, "stacks/web.yaml is no YAML"),
        (FILES | {"stacks/web.yaml": "a: b"}, "stacks/web.yaml is no template"),
        (FILES | {"stacks/web.yaml": "Resources: {A: {}}"}, "A has no Type"),
        (FILES | {"stacks/web.yaml": "!!python/object/apply:os.system [id]"}, "stacks/web.yaml is no YAML"),
    ],
)
def test_what_is_no_set_is_said(files: dict[str, str], told: str):
    """What cannot be told is refused, and what a shell would execute is never taken for a word."""
    with pytest.raises(Unreadable) as raised:
        read(files)
    assert told in str(raised.value)


def test_how_it_is_delivered_is_in_the_script():
    """Whether parameters are passed, kept things taken back and stacks waited for, its text shows."""
    passing = SCRIPT.replace('"$@"', "--parameter-overrides VpcId=/shop/vpc")
    own = SCRIPT.replace(
        'cloudformation deploy "$@"',
        """cloudformation create-change-set --import-existing-resources
    case $1 in web)
      reads VpcId /shop/vpc
    esac
    aws elbv2 modify-load-balancer-attributes --attributes Key=deletion_protection.enabled,Value=false""",
    )
    guarding = "GUARDED='AWS::EC2::VPC AWS::S3::Bucket'\n" + own
    assert delivery(FILES) == Delivery(passes_parameters=False, waits_minutes=60)
    assert delivery(FILES | {"deploy.sh": passing}) == Delivery(waits_minutes=60)
    assert delivery(FILES | {"deploy.sh": own}, prunes="around") == Delivery(
        prunes="around", imports=True, releases=True
    )
    # Without a policy nothing is protected, whatever is named.
    assert delivery(FILES | {"deploy.sh": guarding}).guards == frozenset()
    denying = f'{guarding}\n{{"Effect":"Deny"}}'
    assert delivery(FILES | {"deploy.sh": denying}).guards == {"AWS::EC2::VPC", "AWS::S3::Bucket"}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_our_own_folders_are_read(environment: str):
    """`generated/` is a set: deployed to an empty account, and then nothing more to do."""
    files = folder(ROOT / "generated" / environment)
    found = read(files)
    assert {f"stacks/{each.name}.yaml" for each in found.stacks} == {
        each for each in files if each.startswith("stacks/")
    }
    assert forecast(None, found).stopped_at is None
    assert forecast(found, read(files)).steps == ()
