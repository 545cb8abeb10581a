"""A script whose `aws` is in memory already: nothing of it may differ but the time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import needs

PRELOADED = (sys.executable, "-P", "-m", "mlopsgen.local.preloaded")
NOWHERE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}


def both(script: Path) -> list[subprocess.CompletedProcess[str]]:
    """The script run plainly, and with the AWS CLI in memory."""
    path = f"{Path(needs('aws')).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **NOWHERE, "PATH": path}
    return [
        subprocess.run(
            [*command, script],
            env=environment,
            cwd=script.parent,
            input="hello",
            capture_output=True,
            text=True,
        )
        for command in (("bash",), PRELOADED)
    ]


def test_it_says_what_the_cli_says(tmp_path: Path) -> None:
    """Results, errors, exit codes, the streams and the caller's folder, variables and words are the same."""
    (tmp_path / "file.json").write_text('{"StackName": "from the folder"}')
    script = tmp_path / "calls.sh"
    script.write_text(
        """
        aws --version
        aws cloudformation list-exports --generate-cli-skeleton
        aws cloudformation list-exports --nonsense; echo "$?"
        aws cloudformation describe-stacks --cli-input-json file://file.json; echo "$?"
        (cd / && AWS_DEFAULT_REGION='so far' aws configure list); echo "$?"
        aws cloudformation describe-stacks --stack-name "two words"$'\\n'--query; echo "$?"
        aws s3 cp - s3://bucket/key | cat; echo "${PIPESTATUS[0]}"
        aws configure get region --profile "a'b" 2>/dev/null; echo "$?"
        exit 7
        """
    )
    plain, ours = both(script)
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert plain.returncode == 7


def test_a_script_without_calls_ends(tmp_path: Path) -> None:
    """Also one that ends by a signal."""
    script = tmp_path / "calls.sh"
    script.write_text("kill -TERM $$")
    _, ours = both(script)
    assert ours.returncode == 128 + signal.SIGTERM


def test_it_passes_signals_on(tmp_path: Path) -> None:
    """Whoever ends it ends the script, which may still say a word."""
    script = tmp_path / "calls.sh"
    script.write_text("trap 'echo leaving; exit 3' TERM\necho waiting\nwhile :; do sleep 0.05; done")
    process = subprocess.Popen([*PRELOADED, script], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "waiting\n"
    process.terminate()
    assert process.stdout.read() == "leaving\n"
    assert process.wait() == 3


@pytest.mark.parametrize("name", ["awscli.py", "json.py", "socket.py"])
def test_no_file_of_the_user_s_folder_is_run(tmp_path: Path, name: str) -> None:
    """Python would import from there what is named like a module."""
    (tmp_path / name).write_text("raise SystemExit('run')")
    script = tmp_path / "calls.sh"
    script.write_text("aws --version")
    plain, ours = both(script)
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, "", 0)
