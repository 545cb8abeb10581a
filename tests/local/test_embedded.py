"""The embedded AWS: who may ask it, in which region it is, and what the user's shell has to do with it."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from mlopsgen.local.embedded import EmbeddedAws, apart, embedded_aws
from tests.tools import needs_extra

SUBNETS = """\
Resources:
  Vpc: {Type: "AWS::EC2::VPC", Properties: {CidrBlock: 10.0.0.0/16}}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: 10.0.0.0/24
      AvailabilityZone: !Select [1, !GetAZs ""]
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """One that all tests share, in a region that is not moto's own."""
    needs_extra("local")
    with embedded_aws("eu-central-1") as found:
        yield found


def get(
    aws: EmbeddedAws, headers: Mapping[str, str], method: str = "GET", path: str = "/"
) -> tuple[int, str]:
    """The status of a request with these headers, and whom it allows to read the answer."""
    connection = http.client.HTTPConnection(urlsplit(aws.endpoint).netloc)
    connection.request(method, path, headers=dict(headers))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers.get("Access-Control-Allow-Origin", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "localhost"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("PUT", "/bucket"), ("OPTIONS", "/bucket"), ("POST", "/moto-api/reset")],
)
def test_a_web_page_gets_no_answer(aws: EmbeddedAws, headers: dict[str, str], method: str, path: str) -> None:
    """Nor does a name that somebody has made point to this machine."""
    assert get(aws, headers, method, path) == (403, "")


def test_programs_get_answers(aws: EmbeddedAws) -> None:
    """By the address, and by the machine's own name for it."""
    port = urlsplit(aws.endpoint).port
    assert get(aws, {})[0] == 200
    assert get(aws, {"Host": f"localhost:{port}"})[0] == 200
    assert get(aws, {"Host": f"data.localhost:{port}"})[0] != 403


def test_zones_are_those_of_the_region(aws: EmbeddedAws) -> None:
    """`Fn::GetAZs` without a region means the stack's."""
    import boto3

    with apart():
        session = boto3.Session("rehearsal", "rehearsal", region_name=aws.region)
        session.client("cloudformation", endpoint_url=aws.endpoint).create_stack(
            StackName="zones", TemplateBody=SUBNETS
        )
        found = session.client("ec2", endpoint_url=aws.endpoint).describe_subnets(
            Filters=[{"Name": "cidr-block", "Values": ["10.0.0.0/24"]}]
        )
    assert [each["AvailabilityZone"] for each in found["Subnets"]] == ["eu-central-1b"]


HOSTILE = {
    "AWS_CONFIG_FILE": "/nowhere/config",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1",
    "AWS_PROFILE": "missing",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "intranet.example",
}


def test_what_the_shell_is_set_up_for_has_no_say(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile, an endpoint and a proxy of the shell's do no harm, and are there again afterwards."""
    from mlopsgen.local.cloud import Cloud

    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with apart():
        assert Cloud(aws.endpoint, aws.region).account() == "123456789012"
        assert os.environ["no_proxy"] == "127.0.0.1,localhost,intranet.example"
    assert dict(os.environ) == before
    assert aws.environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert "AWS_PROFILE" not in aws.environment
    assert aws.environment["HTTP_PROXY"] == "http://127.0.0.1:9"
    assert aws.environment["NO_PROXY"] == "127.0.0.1,localhost,intranet.example"
