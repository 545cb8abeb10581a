"""Values with their units: what is read, what is kept, and what is said of anything else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mlopsgen.language import values
from mlopsgen.language.values import (
    parse_cpu,
    parse_duration,
    parse_image,
    parse_latency,
    parse_percent,
    parse_rate,
    parse_size,
    write_cpu,
    write_duration,
    write_latency,
    write_percent,
    write_rate,
    write_size,
)


def label(value: object) -> str:
    """The same in each of several processes."""
    return str(getattr(value, "__name__", value))[:40]


READ = [
    (parse_cpu, "1", 1024),
    (parse_cpu, 0.5, 512),
    (parse_cpu, "500m", 512),
    (parse_cpu, "14", 14336),
    (parse_size, "512Mi", 512),
    (parse_size, "2Gi", 2048),
    (parse_size, "1Ti", 1048576),
    (parse_duration, "0s", 0),
    (parse_duration, "30s", 30),
    (parse_duration, "15m", 900),
    (parse_duration, "6h", 21600),
    (parse_duration, "90d", 7776000),
    (parse_latency, "250ms", 250),
    (parse_latency, "2s", 2000),
    (parse_percent, "70%", 70.0),
    (parse_percent, "0.5%", 0.5),
    (parse_percent, "100%", 100.0),
    (parse_rate, "20/s", 20.0),
    (parse_rate, "1200/m", 20.0),
    (parse_rate, "0.5/s", 0.5),
    (parse_image, "app", "app"),
    (parse_image, "public.ecr.aws/docker/library/redis:7", "public.ecr.aws/docker/library/redis:7"),
    (parse_image, "localhost:5000/web:1.4.2", "localhost:5000/web:1.4.2"),
    (parse_image, f"vllm/vllm-openai@sha256:{'0' * 64}", f"vllm/vllm-openai@sha256:{'0' * 64}"),
]


@pytest.mark.parametrize(("parse", "text", "kept"), READ, ids=label)
def test_values_are_kept_in_one_unit(parse: Any, text: object, kept: object):
    """Whatever unit a value is written in, programs see one."""
    assert parse(text) == kept


WRONG = [
    (parse_cpu, True, 'expected a number of vCPUs such as "1", 0.5 or 500m, not `True`'),
    (parse_cpu, "1 core", 'expected a number of vCPUs such as "1", 0.5 or 500m, not `1 core`'),
    (parse_cpu, 0, "a number of vCPUs must be more than 0"),
    (parse_size, 512, "`512` has no unit: write 512Mi or 512Gi"),
    (parse_size, "2GB", "a size is in Mi, Gi or Ti: write 2Gi for `2GB`"),
    (parse_size, "512m", "a size is in Mi, Gi or Ti: write 512Mi for `512m`"),
    (parse_size, "big", "expected a size such as 512Mi, 2Gi or 1Ti, not `big`"),
    (parse_duration, 30, "`30` has no unit: write 30s, 30m, 30h or 30d"),
    (parse_duration, "90", "`90` has no unit: write 90s, 90m, 90h or 90d"),
    (parse_duration, "2 weeks", "a duration is one number and s, m, h or d: write 14d for `2 weeks`"),
    (parse_duration, [1], "expected a duration such as 30s, 15m, 6h or 90d"),
    (parse_latency, 250, "`250` has no unit: write 250ms or 250s"),
    (parse_latency, 0.2, "`0.2` has no unit: write 200ms, if these are seconds"),
    (parse_latency, "1.5s", "a latency is a whole number and ms or s: write 1500ms for `1.5s`"),
    (parse_latency, "1s500ms", "a latency is a whole number and ms or s: write 1500ms for `1s500ms`"),
    (parse_size, 1.5, "`1.5` has no unit: a size is a whole number and one of Mi, Gi"),
    (parse_duration, 1.5, "`1.5` has no unit: a duration is a whole number and one of s, m, h, d"),
    (parse_duration, -5, "`-5` has no unit: a duration is a whole number and one of s, m, h, d"),
    (parse_latency, "1h", "expected a latency such as 250ms or 2s, not `1h`"),
    (parse_percent, 70, "`70` is no percentage: write 70%"),
    (parse_percent, "70", "`70` is no percentage: write 70%"),
    (parse_percent, 0.7, "`0.7` is no percentage: write 70%"),
    (parse_percent, 0.005, "`0.005` is no percentage: write 0.5%"),
    (parse_percent, 1, "`1` is no percentage: write 100%, or 1%"),
    (parse_percent, "130%", "a percentage is 0% to 100%, with at most three decimals, not `130%`"),
    (parse_percent, "half", "expected a percentage such as 70% or 0.5%, not `half`"),
    (parse_rate, 1200, "`1200` has no unit: a rate is 1200/s or 1200/m, a second or a minute"),
    (parse_duration, "PT1H30M", "a duration is one number and s, m, h or d: write 90m for `PT1H30M`"),
    (parse_duration, "1h 30min", "a duration is one number and s, m, h or d: write 90m for `1h 30min`"),
    (parse_duration, "P1M", "expected a duration such as 30s, 15m, 6h or 90d, not `P1M`"),
    (parse_duration, "3 months", "expected a duration such as 30s, 15m, 6h or 90d, not `3 months`"),
    (parse_size, "1.5Gi", "a size is a whole number: write 1536Mi for `1.5Gi`"),
    (parse_cpu, 4096, '`4096` are units of ECS, of which a vCPU has 1024: write "4"'),
    (parse_cpu, "2 vCPU", 'write "2" for `2 vCPU`'),
    (parse_percent, "70 %", "write 70% for `70 %`"),
    (parse_rate, "20 rps", "a rate is per s or m: write 20/s for `20 rps`"),
    (parse_rate, "20/min", "a rate is per s or m: write 20/m for `20/min`"),
    (
        parse_image,
        "https://ghcr.io/x/y:1",
        "an image's reference has no `https://` before it: write `ghcr.io/x/y:1`",
    ),
    (parse_rate, "20/h", "expected a rate such as 20/s or 1200/m, not `20/h`"),
    (parse_rate, "0/s", "a rate must be more than 0"),
    (
        parse_image,
        "ghcr.io/mlflow/mlflow",
        "the image `ghcr.io/mlflow/mlflow` needs a tag or a digest, such as `ghcr.io/mlflow/mlflow:1.2`",
    ),
    (
        parse_image,
        "./app",
        "`./app` is neither the name of an image nor a reference: one of `spec.images` goes by its `name`, "
        "one from elsewhere by its tag or digest, such as public.ecr.aws/docker/library/redis:7",
    ),
]


@pytest.mark.parametrize(("parse", "value", "said"), WRONG, ids=label)
def test_other_forms_are_told_the_one_wanted(parse: Any, value: object, said: str):
    """The fault repeats what was written, and says how to write it where that can be known."""
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse(value)


ROUND = [
    (write_cpu, parse_cpu, ["1", "0.5", "250m", "14"]),
    (write_size, parse_size, ["512Mi", "3Gi", "1Ti"]),
    (write_duration, parse_duration, ["0s", "30s", "15m", "6h", "90d"]),
    (write_latency, parse_latency, ["250ms", "2s"]),
    (write_percent, parse_percent, ["70%", "0.5%", "99.9%", "100%", "0%"]),
    (write_rate, parse_rate, ["20/s", "100/m", "0.5/s", "1000/m"]),
]


@pytest.mark.parametrize(("write", "parse", "texts"), ROUND, ids=label)
def test_what_is_written_back_reads_the_same(write: Any, parse: Any, texts: list[str]):
    """A rendered pipeline has the units that a person would choose."""
    assert [write(parse(text)) for text in texts] == texts


FORMS = {
    "AbsolutePath": (["/", "/dev/shm", "/models/v1.0"], ["models", "", "/a b"]),
    "AccountId": (["012345678901"], ["12345678901", "12345678901a"]),
    "Arn": (["arn:aws:iam::123456789012:role/x"], ["arn:aws:iam::123456789012:role/*", "role/x"]),
    "Cidr": (["10.20.0.0/16"], ["10.20.0.0", "10.20/16"]),
    "Cron": (["0 3 * * 0", "0  3\t* *   0"], ["0 3 * *", "@daily", "0 3 * * 0 2026"]),
    "File": ([".", "docker/Dockerfile.app", ".env", "a+b@c"], ["/etc", "-f", "a b", ""]),
    "HostName": (["app.example.com", "*.example.com"], ["App.example.com", "localhost", "https://a.b"]),
    "InstanceType": (["g4dn.xlarge", "u7i-12tb.224xlarge"], ["g4dn", "g4dn.*"]),
    "Peer": (["10.0.0.0/16", "sg-0123456789abcdef0", "pl-01234567"], ["10.0.0.1", "sg-x", "web"]),
    "Region": (["ap-southeast-1", "us-gov-west-1"], ["apsoutheast", "eu-west-1a"]),
    "RequestPath": (["/", "/v1/models"], ["v1", "/a?b"]),
    "SubnetId": (["subnet-0123456789abcdef0"], ["subnet-x", "vpc-0123456789abcdef0"]),
    "TimeZone": (["UTC", "Asia/Ho_Chi_Minh", "Etc/GMT+5"], ["Asia/", "UTC 7"]),
    "VariableName": (["MODEL_URI", "_x1"], ["1X", "MODEL-URI", ""]),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_take_what_the_reference_says(name: str):
    """Each named form accepts its own and refuses its neighbours."""
    adapter = TypeAdapter[Any](getattr(values, name))
    right, wrong = FORMS[name]
    assert [text for text in right if adapter.validate_python(text, strict=True) != text] == []
    for text in wrong:
        with pytest.raises(ValidationError):
            adapter.validate_python(text, strict=True)
