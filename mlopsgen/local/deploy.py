"""The generated `deploy.sh`, run for real against the embedded AWS."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.local import preloaded
from mlopsgen.local.embedded import EmbeddedAws


class DeploymentFailed(UserFault):
    """`deploy.sh` ended with an error; it has already said which."""


def deploy(aws: EmbeddedAws, environment: Path, facts: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Deploy every stack of `environment`, with a pushed image in each repository half-way.

    `facts` is what the manifest says of it. `say` gets each line that `deploy.sh` prints. Raises
    `DeploymentFailed`.
    """
    names, after = sorted(facts["repositories"]), facts["afterImages"]
    before = facts["stacks"][: facts["stacks"].index(after)] if after else []
    if not names or not before:
        _run(aws, environment, [], {}, say)
        return
    _run(aws, environment, ["--until", before[-1]], {}, say)
    for name in names:
        digest = push(aws, name)
        say(f"{name} ... pushed {digest[:19]}…")
    # A rehearsal has no versions; `local up` trains one where a service waits for it.
    _run(aws, environment, ["--from", after, "--models-are-there"], {"IMAGE_TAG": TAG}, say)


def command(environment: Path) -> tuple[str, ...]:
    """What runs the `deploy.sh` of `environment` with the AWS CLI in memory."""
    return (sys.executable, "-P", "-m", preloaded.__name__, str(environment / "deploy.sh"))


TAG = "rehearsal"


def push(aws: EmbeddedAws, repository: str) -> str:
    """Put an image's manifest into the registry under `TAG`, and return the digest that the registry gives.

    The rehearsal is of the deployment; the layers stay empty.
    """
    import boto3

    def blob(text: str, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {"mediaType": kind, "size": len(text), "digest": f"sha256:{digest}"}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": blob(repository, "application/vnd.docker.container.image.v1+json"),
        "layers": [],
    }
    client = boto3.client(
        "ecr",
        aws_access_key_id="rehearsal",
        aws_secret_access_key="rehearsal",
        endpoint_url=aws.endpoint,
        region_name=aws.region,
    )
    answer = client.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=TAG)
    return str(answer["image"]["imageId"]["imageDigest"])


def _run(
    aws: EmbeddedAws,
    environment: Path,
    options: list[str],
    variables: dict[str, str],
    say: Callable[[str], None],
) -> None:
    process = subprocess.Popen(
        [*command(environment), *options],
        env=aws.environment | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            say(line.rstrip("\n"))
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
    if process.returncode:
        raise DeploymentFailed(f"deploy.sh ended with exit code {process.returncode}")
