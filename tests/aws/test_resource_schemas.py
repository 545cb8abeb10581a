"""What each property takes is what the registry says, for every type that a template can hold."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from mlopsgen.aws import refresh, resource_schemas
from mlopsgen.aws.resource_schemas import attributes, identified_by_arn, schema
from mlopsgen.compile import compile_pipeline
from mlopsgen.components.patches import policies
from mlopsgen.components.patches.references import Known, broken
from mlopsgen.components.patches.schema import faults
from tests.cases import ROOT

SAME = resource_schemas.source_version() == version("cfn-lint")
"""Whether the installed cfn-lint is the one that the table was made from; another may know more, or less."""

PIPELINES = sorted(
    path
    for path in (
        ROOT / "pipeline.yaml",
        *ROOT.glob("examples/*/pipeline.yaml"),
        *ROOT.glob("tests/**/pipeline.yaml"),
    )
    if "environments" not in path.parts
)


def test_the_table_is_what_the_registry_says():
    """With another cfn-lint than the table was made from, the table may differ and is still sound."""
    if SAME:
        assert resource_schemas.TABLE.read_text(encoding="utf-8") == refresh.schemas()
    service = schema("AWS::ECS::Service")
    assert service["definitions"]["DeploymentConfiguration"]["properties"]["Strategy"] == {
        "enum": ["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"],
        "type": "string",
    }


def test_each_type_has_a_schema():
    assert [name for name in sorted(refresh.declared()) if schema(name) is None] == []
    assert schema("AWS::ECS::Nothing") is None


@pytest.mark.parametrize("path", PIPELINES, ids=[each.relative_to(ROOT).as_posix() for each in PIPELINES])
def test_what_components_declare_is_what_aws_takes(path):
    """Whatever is generated has a schema, keeps to it, and writes policies in which nothing is wrong."""
    for compilation in compile_pipeline(path.read_text(), "pipeline.yaml"):
        for stack in compilation.plan.stacks:
            known = Known(
                stack.name,
                {each.logical_id: each.type for each in stack.resources},
                {each.name: each.type for each in stack.parameters},
            )
            for each in stack.resources:
                where = f"{stack.name}.{each.logical_id}"
                assert schema(each.type) is not None, (
                    f"no schema of {each.type}: run `python -m mlopsgen.aws.refresh schemas`"
                )
                assert list(faults(each.type, each.properties, known)) == [], where
                assert list(broken(each.properties, known)) == [], where
                for document in policies.documents(each.type, each.properties):
                    assert list(policies.faults(document, known)) == [], where


def test_attributes_are_those_that_getatt_gives():
    assert attributes("AWS::IAM::Role") == {"Arn", "RoleId"}
    assert attributes("AWS::KMS::Alias") == frozenset()
    assert {"GroupId", "VpcId"} <= attributes("AWS::EC2::SecurityGroup")


def test_an_arn_is_told_from_a_name():
    assert identified_by_arn("AWS::SNS::Topic")
    assert not identified_by_arn("AWS::IAM::Role")


def test_patterns_are_read_by_python():
    """No pattern of the table is one that only other languages know."""
    text = resource_schemas.TABLE.read_text(encoding="utf-8")
    assert r"\\p{" not in text
    for pattern in set(re.findall(r'"pattern":"((?:[^"\\]|\\.)*)"', text)):
        re.compile(pattern.encode().decode("unicode_escape"))


def test_who_patches_nothing_reads_no_table():
    """Schemas and actions are read by those alone who patch."""
    code = (
        "import sys; from mlopsgen.compile import compile_file; from pathlib import Path;"
        "compile_file(Path('pipeline.yaml'), 'pipeline.yaml');"
        "print(sorted(name for name in sys.modules if name.startswith('mlopsgen.aws.') and "
        "name.endswith(('schemas', 'actions'))), 'cfnlint' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[] False\n"
