"""A trainer by the contract: reads what lies in raw/, publishes one version, resumes after SIGTERM."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import boto3


def split(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix


def stopped(*_: object) -> None:
    s3.put_object(Bucket=bucket, Key=checkpoint, Body=b"half")
    print("saved", flush=True)
    sys.exit(143)


s3 = boto3.client("s3")
settings = json.loads(os.environ["PARAMETERS"])
bucket, prefix = split(os.environ["MODEL_URI"])
checkpoint = split(os.environ["CHECKPOINT_URI"])[1] + "state"
signal.signal(signal.SIGTERM, signal.SIG_IGN if settings.get("stubborn") else stopped)
found = s3.list_objects_v2(Bucket=bucket, Prefix=checkpoint).get("KeyCount", 0)
event = {"level": "info", "event": "resumed" if found else "started", **settings}
print(json.dumps(event | {"trigger": os.environ.get("TRIGGER")}), flush=True)
if settings.get("child"):
    # Hides from its parent, as a careless library would.
    subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=subprocess.DEVNULL)
if not found:
    time.sleep(settings["seconds"])
if settings.get("fails"):
    sys.exit("the reviews are in a language that nobody knows")
raw_bucket, raw = split(os.environ["RAW_URI"])
counts: dict[str, int] = {}
for each in s3.list_objects_v2(Bucket=raw_bucket, Prefix=raw).get("Contents", []):
    for word in s3.get_object(Bucket=raw_bucket, Key=each["Key"])["Body"].read().decode().split():
        counts[word] = counts.get(word, 0) + 1
body = json.dumps({"counts": counts, "made": time.time_ns()}).encode()
digest = hashlib.sha256(body).hexdigest()
version = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}"
metrics = {"accuracy": settings["accuracy"]}
s3.put_object(Bucket=bucket, Key=f"{prefix}{version}/words.json", Body=body)
manifest = {
    "name": "words",
    "version": version,
    "metrics": metrics,
    "files": {"words.json": {"sha256": digest}},
}
s3.put_object(Bucket=bucket, Key=f"{prefix}{version}/manifest.json", Body=json.dumps(manifest).encode())
meta = {
    "Timestamp": int(time.time() * 1000),
    "CloudWatchMetrics": [
        {
            "Namespace": os.environ["METRICS_NAMESPACE"],
            "Dimensions": [["Model"]],
            "Metrics": [{"Name": "Accuracy"}],
        }
    ],
}
print(json.dumps({"_aws": meta, "Model": "words", "Accuracy": settings["accuracy"]}), flush=True)
