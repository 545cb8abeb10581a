"""The values of the language: how each is written, what it is kept as, and how it is written back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from mlopsgen.language.base import Called, Filled

DAY = 86400
HOUR = 3600
MINUTE = 60
"""Seconds."""

GIBIBYTE = 1024
"""MiB."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": DAY}
_MEBIBYTES = {"Mi": 1, "Gi": GIBIBYTE, "Ti": 1024 * GIBIBYTE}

CPU_PATTERN = r"^([1-9][0-9]{0,5}m|(0|[1-9][0-9]{0,2})(\.[0-9]{1,3})?)$"
SIZE_PATTERN = r"^[1-9][0-9]{0,6}(Mi|Gi|Ti)$"
DURATION_PATTERN = r"^(0|[1-9][0-9]{0,6})(s|m|h|d)$"
LATENCY_PATTERN = r"^[1-9][0-9]{0,5}(ms|s)$"
PERCENT_PATTERN = r"^(100(\.0+)?|[0-9]{1,2}(\.[0-9]{1,3})?)%$"
RATE_PATTERN = r"^(0|[1-9][0-9]{0,6})(\.[0-9]{1,3})?/(s|m)$"
# The grammar of references that Docker and containerd share (distribution/reference, "reference.go").
_STEP = r"[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
_WORD = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"({_WORD}(\.{_WORD})+(:[0-9]{{1,5}})?|{_WORD}:[0-9]{{1,5}}|localhost)"
IMAGE_PATTERN = (
    r"^([a-z](-?[a-z0-9])*"
    rf"|({_HOST}/)?{_STEP}(/{_STEP})*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[a-f0-9]{64})?|@sha256:[a-f0-9]{64}))$"
)


def parse_cpu(value: object) -> int:
    """`"1"`, `0.5` or `500m` in CPU units, of which ECS counts 1024 to a vCPU.

    Raises ValueError if it is not such a quantity.
    """
    text = _quantity(value)
    if not re.fullmatch(CPU_PATTERN, text):
        raise ValueError(_cpu_meant(text) or _unlike("a number of vCPUs", value, '"1"', "0.5", "500m"))
    thousandths = int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)
    if thousandths == 0:
        raise ValueError("a number of vCPUs must be more than 0")
    return round(thousandths * 1024 / 1000)


def parse_size(value: object) -> int:
    """`512Mi`, `2Gi` or `1Ti` in MiB. Raises ValueError if it is not such a size."""
    text = _quantity(value)
    if not isinstance(value, str) or not re.fullmatch(SIZE_PATTERN, text):
        if _NUMBER.fullmatch(text):
            raise ValueError(f"`{text}` has no unit: {_with_unit(text, 'a size', 'Mi', 'Gi')}")
        if others := re.fullmatch(r"([1-9][0-9]{0,6}) ?([MGTmgt])(i?[Bb]|i)?", text):
            raise ValueError(f"a size is in Mi, Gi or Ti: write {others[1]}{others[2].upper()}i for `{text}`")
        if part := re.fullmatch(r"([0-9]+\.[0-9]+) ?([GT])i", text):
            whole = float(part[1]) * _MEBIBYTES[f"{part[2]}i"]
            if whole == int(whole):
                raise ValueError(f"a size is a whole number: write {int(whole)}Mi for `{text}`")
        raise ValueError(_unlike("a size", value, "512Mi", "2Gi", "1Ti"))
    return int(text[:-2]) * _MEBIBYTES[text[-2:]]


def parse_duration(value: object) -> int:
    """`30s`, `15m`, `6h` or `90d` in seconds. Raises ValueError if it is not such a duration."""
    text = _quantity(value)
    if not isinstance(value, str) or not re.fullmatch(DURATION_PATTERN, text):
        if _NUMBER.fullmatch(text):
            raise ValueError(f"`{text}` has no unit: {_with_unit(text, 'a duration', 's', 'm', 'h', 'd')}")
        if (seconds := _seconds_meant(text)) and re.fullmatch(DURATION_PATTERN, write_duration(seconds)):
            raise ValueError(
                f"a duration is one number and s, m, h or d: write {write_duration(seconds)} for `{text}`"
            )
        raise ValueError(_unlike("a duration", value, "30s", "15m", "6h", "90d"))
    return int(text[:-1]) * _SECONDS[text[-1]]


def parse_latency(value: object) -> int:
    """`250ms` or `2s` in milliseconds. Raises ValueError if it is neither."""
    text = _quantity(value)
    if not isinstance(value, str) or not re.fullmatch(LATENCY_PATTERN, text):
        if _NUMBER.fullmatch(text):
            raise ValueError(f"`{text}` has no unit: {_with_unit(text, 'a latency', 'ms', 's')}")
        if (meant := _milliseconds_meant(text)) and re.fullmatch(LATENCY_PATTERN, f"{meant}ms"):
            raise ValueError(f"a latency is a whole number and ms or s: write {meant}ms for `{text}`")
        raise ValueError(_unlike("a latency", value, "250ms", "2s"))
    return int(text[:-2]) if text.endswith("ms") else int(text[:-1]) * 1000


def parse_percent(value: object) -> float:
    """`70%` or `0.5%` as 70.0 or 0.5. Raises ValueError if it is no percentage of at most 100."""
    text = _quantity(value)
    if not isinstance(value, str) or not re.fullmatch(PERCENT_PATTERN, text):
        if _NUMBER.fullmatch(text):
            raise ValueError(f"`{text}` is no percentage: write {_percentage(text)}")
        if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?%", text):
            raise ValueError(f"a percentage is 0% to 100%, with at most three decimals, not `{text}`")
        if re.fullmatch(PERCENT_PATTERN, text.replace(" ", "")):
            raise ValueError(f"write {text.replace(' ', '')} for `{text}`")
        raise ValueError(_unlike("a percentage", value, "70%", "0.5%"))
    return float(text[:-1])


def parse_rate(value: object) -> float:
    """`20/s` or `1200/m`, both 20.0 a second. Raises ValueError if it is no such rate."""
    text = _quantity(value)
    if not isinstance(value, str) or not re.fullmatch(RATE_PATTERN, text):
        if _NUMBER.fullmatch(text):
            raise ValueError(f"`{text}` has no unit: a rate is {text}/s or {text}/m, a second or a minute")
        if other := re.fullmatch(
            r"([0-9]+(?:\.[0-9]{1,3})?) ?(?:(rps|/ ?sec|/ ?second)|rpm|/ ?min|/ ?minute)", text
        ):
            raise ValueError(
                f"a rate is per s or m: write {other[1]}/{'s' if other[2] else 'm'} for `{text}`"
            )
        raise ValueError(_unlike("a rate", value, "20/s", "1200/m"))
    number = float(text[:-2])
    if number == 0:
        raise ValueError("a rate must be more than 0")
    return number if text.endswith("/s") else number / 60


def parse_image(value: object) -> str:
    """The name of one of the pipeline's images, or a reference with a tag or a digest, as it stands.

    Raises ValueError if it is neither.
    """
    if not isinstance(value, str):
        raise ValueError(_unlike("an image", value, "app", "public.ecr.aws/docker/library/redis:7"))
    if not re.fullmatch(IMAGE_PATTERN, value):
        if re.fullmatch(r"[a-z0-9][A-Za-z0-9._:-]*/[A-Za-z0-9._/-]+", value):
            raise ValueError(f"the image `{value}` needs a tag or a digest, such as `{value}:1.2`")
        if scheme := re.match(r"[a-z]+://", value):
            raise ValueError(
                f"an image's reference has no `{scheme[0]}` before it: write `{value[scheme.end() :]}`"
            )
        raise ValueError(
            f"`{value}` is neither the name of an image nor a reference: one of `spec.images` goes by its "
            "`name`, one from elsewhere by its tag or digest, such as public.ecr.aws/docker/library/redis:7"
        )
    port = re.match(r"[^/@]+:([0-9]+)/", value)
    if port and not 0 < int(port[1]) < 65536:
        raise ValueError(f"a registry's port is 1 to 65535, not {port[1]}")
    return value


def write_cpu(units: int) -> str:
    """CPU units as `1`, `0.5` or `250m`: the shortest that `parse_cpu` reads back."""
    thousandths = round(units * 1000 / 1024)
    return f"{thousandths / 1000:g}" if thousandths % 100 == 0 else f"{thousandths}m"


def write_size(mebibytes: int) -> str:
    """MiB as `512Mi`, `2Gi` or `1Ti`, in the largest unit that divides it."""
    return _in_largest(mebibytes, _MEBIBYTES)


def write_duration(seconds: int) -> str:
    """Seconds as `30s`, `15m`, `6h` or `90d`, in the largest unit that divides them."""
    return _in_largest(seconds, _SECONDS)


def write_latency(milliseconds: int) -> str:
    """Milliseconds as `250ms` or `2s`."""
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def write_percent(percent: float) -> str:
    """A percentage as `70%` or `0.5%`."""
    return f"{_number(percent)}%"


def write_rate(rate: float) -> str:
    """A rate a second as `20/s`, or as `100/m` where only that is exact."""
    return f"{_number(rate)}/s" if rate == round(rate, 3) else f"{_number(rate * 60)}/m"


_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def _quantity(value: object) -> str:
    """What was written, of a string or a number; nothing of anything else."""
    return str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""


def _unlike(what: str, value: object, *examples: str) -> str:
    *others, last = examples
    said = f", not `{value}`" if isinstance(value, bool | int | float | str) else ""
    return f"expected {what} such as {', '.join(others)} or {last}{said}"


def _with_unit(number: str, what: str, *units: str) -> str:
    """`write 90s, 90m, 90h or 90d`; only the author knows which. Of what is not whole none can be written."""
    if number.isdecimal():
        *others, last = (f"{number}{unit}" for unit in units)
        return f"write {', '.join(others)} or {last}"
    if units == ("ms", "s") and (meant := _milliseconds_meant(f"{number}s")):
        return f"write {meant}ms, if these are seconds"
    return f"{what} is a whole number and one of {', '.join(units)}"


def _milliseconds_meant(text: str) -> int | None:
    """Of `1.5s`, `1s500ms` and `0.25 s`; None for all else."""
    found = re.fullmatch(r"(?:([0-9]+(?:\.[0-9]{1,3})?) ?s)?(?:([0-9]+) ?ms)?", text)
    if not found or not text:
        return None
    return round(float(found[1] or 0) * 1000) + int(found[2] or 0)


def _cpu_meant(text: str) -> str | None:
    """Of ECS's CPU units, and of a number with a word behind it."""
    if re.fullmatch("[0-9]+", text) and 1000 <= int(text) <= 196_608 and int(text) % 128 == 0:
        return f'`{text}` are units of ECS, of which a vCPU has 1024: write "{write_cpu(int(text))}"'
    if number := re.fullmatch(r"([0-9]+(?:\.[0-9]{1,3})?) ?v?cpus?", text.lower()):
        return f'write "{number[1]}" for `{text}`'
    return None


_UNITS = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": 1}


def _seconds_meant(text: str) -> int | None:
    """Of `1h30m`, `1.5h`, `2w`, `90 d`, `30min`, `2 hours` and ISO 8601's `PT1H`; None for all else."""
    rest = re.sub(r"\s+", "", text.lower())
    if rest.startswith("p"):
        days, _, times = rest[1:].partition("t")
        # Before the T an M is months.
        rest = "" if "m" in days else days + times
    rest = re.sub(r"(week|day|hour|h|min|minute|sec|second)s?(?=[0-9]|$)", lambda found: found[1][0], rest)
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)([wdhms])", rest)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != rest:
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return int(seconds) if seconds == int(seconds) else None


def _percentage(number: str) -> str:
    """What a bare number may have meant: 0.7 is a share, and 1 may be either."""
    if number in ("1", "1.0"):
        return "100%, or 1%"
    share = float(number)
    return f"{_number(share * 100 if 0 < share < 1 else share)}%"


def _number(value: float) -> str:
    """Without what binary fractions add, and without an exponent."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _in_largest(amount: int, units: dict[str, int]) -> str:
    name, size = next(
        (name, size) for name, size in reversed(units.items()) if amount % size == 0 and (amount or size == 1)
    )
    return f"{amount // size}{name}"


class Unit(NamedTuple):
    """How a value with a unit is read and written; `pattern` and `examples` are what editors know of it."""

    word: str
    """What the reference calls it."""

    parse: Callable[[object], Any]
    write: Callable[[Any], str]
    pattern: str
    examples: tuple[str, ...]

    numbers: bool = False
    """Whether a bare number is as good as a text."""

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.parse, handler(source))


Cpu = Annotated[int, Unit("cpu", parse_cpu, write_cpu, CPU_PATTERN, ("1", "500m", "0.25"), numbers=True)]
"""vCPUs such as `"1"`, `0.5` or `500m`, kept as CPU units: 1024 to a vCPU."""

Size = Annotated[int, Unit("size", parse_size, write_size, SIZE_PATTERN, ("512Mi", "2Gi"))]
"""An amount of memory or disk such as `512Mi` or `2Gi`, kept in MiB."""

Duration = Annotated[
    int, Unit("duration", parse_duration, write_duration, DURATION_PATTERN, ("30s", "15m", "6h", "90d"))
]
"""A span of time such as `30s`, `15m`, `6h` or `90d`, kept in seconds."""

Latency = Annotated[int, Unit("latency", parse_latency, write_latency, LATENCY_PATTERN, ("250ms", "2s"))]
"""A response time such as `250ms` or `2s`, kept in milliseconds."""

Percent = Annotated[float, Unit("percent", parse_percent, write_percent, PERCENT_PATTERN, ("70%", "0.5%"))]
"""A percentage such as `70%`, kept as 0 to 100."""

Rate = Annotated[float, Unit("rate", parse_rate, write_rate, RATE_PATTERN, ("20/s", "1200/m"))]
"""So many a second or a minute, such as `20/s` or `1200/m`, kept as a second's."""

ImageReference = Annotated[
    str,
    Unit("image", parse_image, str, IMAGE_PATTERN, ("app", "public.ecr.aws/docker/library/redis:7")),
]
"""The `name` of an item of `spec.images`, or a reference with a tag or digest."""

Cron = Annotated[str, Called("cron"), Field(pattern=r"^\s*\S+(\s+\S+){4}\s*$", max_length=100)]
"""Five fields as in crontab: minute, hour, day of month, month, day of week."""

TimeZone = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", max_length=50)]
"""A name of the IANA time zone database, such as `Asia/Ho_Chi_Minh`."""

File = Annotated[str, Called("file"), Field(pattern=r"^[A-Za-z0-9._+@][A-Za-z0-9._+@/-]*$", max_length=256)]
"""A path below the folder of `pipeline.yaml`; it does not begin with `-` or `/`."""

AbsolutePath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=256)]
"""A path that begins with `/`, of letters, digits and `._~/-`."""

# No step is empty, `.` or `..`.
REQUEST_PATH_PATTERN = r"^/(\.{0,2}[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/|$))*$"

RequestPath = Annotated[str, Filled(), Field(pattern=REQUEST_PATH_PATTERN, max_length=100)]
"""A path of a URL: it begins with `/`, has letters, digits and `._~/-`, and no `//`, `/./`, `/../`."""

_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"

HostName = Annotated[str, Filled(), Field(pattern=rf"^(\*\.)?{_LABEL}(\.{_LABEL})+$", max_length=128)]
"""A name such as `app.example.com`, in lowercase; `*.example.com` is every name below that."""

Cidr = Annotated[str, Field(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$")]
"""An IPv4 range such as `10.20.0.0/16`."""

Peer = Annotated[
    str,
    Called("peer"),
    Field(pattern=r"^(([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}|(sg|pl)-([0-9a-f]{8}|[0-9a-f]{17}))$"),
]
"""A range such as `10.0.0.0/16`, a security group (`sg-…`) or a prefix list (`pl-…`)."""

EVERYWHERE = "0.0.0.0/0"
"""Every address of IPv4."""

Arn = Annotated[
    str,
    Filled(),
    Field(pattern=r"^arn:aws(-[a-z]+)*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}|aws)?:[^\s*?'\"\\$`]+$"),
]
"""An Amazon Resource Name, without wildcards."""

Region = Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$")]
"""A region such as `ap-southeast-1`."""

AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
"""An AWS account: twelve digits, in quotes."""

VpcId = Annotated[str, Filled(), Field(pattern=r"^vpc-([0-9a-f]{8}|[0-9a-f]{17})$")]
"""A VPC's id such as `vpc-0123456789abcdef0`."""

SubnetId = Annotated[str, Filled(), Field(pattern=r"^subnet-([0-9a-f]{8}|[0-9a-f]{17})$")]
"""A subnet's id such as `subnet-0123456789abcdef0`."""

SecurityGroupId = Annotated[str, Filled(), Field(pattern=r"^sg-([0-9a-f]{8}|[0-9a-f]{17})$")]
"""A security group's id such as `sg-0123456789abcdef0`."""

FileSystemId = Annotated[str, Filled(), Field(pattern=r"^fs-[0-9a-f]{8,40}$")]
"""An EFS file system's id such as `fs-0123456789abcdef0`."""

AccessPointId = Annotated[str, Filled(), Field(pattern=r"^fsap-[0-9a-f]{8,40}$")]
"""An EFS access point's id such as `fsap-0123456789abcdef0`."""

VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
"""The name of an environment variable: letters, digits and `_`, the first no digit."""

InstanceType = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]
"""A type of EC2 instance such as `g4dn.xlarge`."""
