"""What a run asks of the embedded AWS, by its own APIs. Every call blocks: make it in a thread."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopsgen.promotion import Versions

KEYS = {"aws_access_key_id": "rehearsal", "aws_secret_access_key": "rehearsal"}
LOCATION = re.compile(r"s3://([^/]+)/(.*)")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A role's temporary credentials."""

    key: str
    secret: str
    token: str
    expires: str
    role: str

    @property
    def document(self) -> Mapping[str, str]:
        """As ECS's credentials endpoint answers."""
        return {
            "RoleArn": self.role,
            "AccessKeyId": self.key,
            "SecretAccessKey": self.secret,
            "Token": self.token,
            "Expiration": self.expires,
        }


class Cloud:
    """Clients of one embedded AWS. Raises botocore's `ClientError` and `BotoCoreError`."""

    def __init__(self, endpoint: str, region: str) -> None:
        import boto3
        from botocore.config import Config

        session = boto3.Session(**KEYS, region_name=region)
        config = Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=60)

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=endpoint, config=config)

        self.s3 = client("s3")
        self._logs = client("logs")
        self._cloudwatch = client("cloudwatch")
        self._sts = client("sts")
        self._iam = client("iam")
        self._cloudformation = client("cloudformation")

    def account(self) -> str:
        """The account that it plays."""
        return str(self._sts.get_caller_identity()["Account"])

    def credentials(self, stack: str, logical_id: str) -> Credentials:
        """What ECS would hand to a task: temporary credentials of the role `logical_id` of `stack`."""
        found = self._cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        role = self._iam.get_role(RoleName=name)["Role"]["Arn"]
        given = self._sts.assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
        return Credentials(
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given["SessionToken"],
            given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            role,
        )

    def upload(self, source: Path, location: str) -> int:
        """Put a file, or all files of a folder, below `location`; how many."""
        bucket, prefix = _split(location)
        files = [source] if source.is_file() else sorted(_files(source))
        base = source.parent if source.is_file() else source
        for path in files:
            self.s3.upload_file(str(path), bucket, prefix + path.relative_to(base).as_posix())
        return len(files)

    def save(self, location: str, folder: Path) -> None:
        """Bring `folder` up to what lies below `location`; objects that it has already are left."""
        bucket, prefix = _split(location)
        for each in self._objects(bucket, prefix):
            path = folder / bucket / each["Key"]
            if not path.is_file() or path.stat().st_size != each["Size"] or each["Key"].endswith(".json"):
                path.parent.mkdir(parents=True, exist_ok=True)
                self.s3.download_file(bucket, each["Key"], str(path))

    def restore(self, folder: Path) -> None:
        """Put back what `save` saved."""
        for bucket in sorted(folder.iterdir()):
            for path in sorted(_files(bucket)):
                self.s3.upload_file(str(path), bucket.name, path.relative_to(bucket).as_posix())

    def store(self, location: str) -> Versions:
        """The versions of the model at `location`."""
        bucket, prefix = _split(location)
        return Versions(self.s3, bucket, prefix)

    def open_stream(self, group: str, stream: str) -> None:
        """A log stream, and its group if the stacks made none."""
        exists = self._logs.exceptions.ResourceAlreadyExistsException
        with contextlib.suppress(exists):
            self._logs.create_log_group(logGroupName=group)
        with contextlib.suppress(exists):
            self._logs.create_log_stream(logGroupName=group, logStreamName=stream)

    def log(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Log lines with their time in milliseconds."""
        entries = [{"timestamp": at, "message": text} for at, text in events]
        self._logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=entries)

    def measure(self, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        """Metrics, as CloudWatch makes them of log lines in embedded metric format."""
        for start in range(0, len(data), 500):
            part = list(data[start : start + 500])
            self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=part)

    def metrics(self, namespace: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The name and dimensions of each metric that arrived."""
        for page in self._cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace):
            for each in page["Metrics"]:
                yield each["MetricName"], {one["Name"]: one["Value"] for one in each["Dimensions"]}

    def _objects(self, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from page.get("Contents", ())


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _split(location: str) -> tuple[str, str]:
    found = LOCATION.fullmatch(location)
    if not found:
        raise ValueError(f"no location in S3: {location}")
    return found[1], found[2]
