"""What a shell or a container engine reads is sound, and no value of the user's breaks out of its place."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlopsgen.compile import artifacts, compile_pipeline
from mlopsgen.source.characters import ODD, UNSEEN
from tests.cases import KNOWN, KNOWN_IDS, Case
from tests.tools import needs

# SC2016: a query's backquotes are JMESPath's, and not to be expanded.
SHELLCHECK = ("shellcheck", "--severity=style", "--exclude=SC2016")

# DL3006: the base is an argument, pinned by whoever builds; DL3059: layers are for caching.
HADOLINT = ("hadolint", "--ignore=DL3006", "--no-color")


@pytest.mark.parametrize("case", KNOWN, ids=KNOWN_IDS)
def test_scripts_pass_shellcheck(case: Case):
    """Not even a remark on style."""
    scripts = sorted(case.built.rglob("*.sh"))
    assert scripts
    program, *options = SHELLCHECK
    run = subprocess.run([needs(program), *options, *scripts], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "")


NEWER = re.compile(
    r"declare -[An]|local -n|mapfile|readarray|\$\{\w+(,,|\^\^|@)|&>>|\|&|coproc|\[\[ -v|printf '%\("
    r"|\[-1\]|wait -n|;;&"
)
"""What bash 3.2 does not have (CHANGES in bash's source)."""


@pytest.mark.parametrize("case", KNOWN, ids=KNOWN_IDS)
def test_scripts_run_in_the_shell_of_a_mac(case: Case):
    """bash 3.2 takes an empty list for an unset one, and BSD's sed wants a `;` before each `}`."""
    for path in sorted(case.built.rglob("deploy.sh")):
        text = path.read_text()
        assert not NEWER.search(text)
        empty = set(re.findall(r"(\w+)=\(\)", text))
        assert {"chosen", "later", "names", "parameters"} <= empty
        for name in empty & set(re.findall(r'"\$\{(\w+)\[@\]\}"', text)):
            assert f"${{{name}[*]:-}}" in text, name
        assert not re.search(r"sed -n '[^']*[^;]\}'", text)


@pytest.mark.parametrize("case", KNOWN, ids=KNOWN_IDS)
def test_dockerfiles_pass_hadolint(case: Case):
    """Not even a remark on style."""
    program, *options = HADOLINT
    for path in sorted(case.built.glob("images/*/Dockerfile")):
        run = subprocess.run([needs(program), *options, path], capture_output=True, text=True)
        assert (run.returncode, run.stdout) == (0, "")


# What nobody sees is refused.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    lambda text: not (ODD.search(text) or UNSEEN.search(text))
)
NASTY = st.sampled_from(
    ['"]\nRUN ["id"]', "$(id)", "`id`", "${IFS}", "'; id; '", '"', "\\", "{{ 7 * 7 }}", "{% raw %}", "EOF"]
)  # fmt: skip


def built(env: str = "{}", command: str = "[serve]", label: str = "none") -> dict[str, str]:
    """The artifacts of a pipeline with one service, by path."""
    text = f"""\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {{name: demo, labels: {{note: {json.dumps(label)}}}}}
spec:
  aws: {{region: us-east-1}}
  images: [{{name: app, python: {{command: {command}}}}}]
  services: [{{name: api, image: app, env: {env}}}]
"""
    return {each.path: each.text for each in artifacts(compile_pipeline(text, "pipeline.yaml"), {})}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.one_of(TEXT, NASTY), min_size=1, max_size=4))
def test_a_command_stays_one_instruction(command: list[str]):
    """Whatever a command says, the Dockerfile's last line is a CMD in exec form with exactly these words."""
    # A single word that is a whole line is refused.
    assume(len(command) > 1 or len(command[0].split()) <= 1)
    path, said = "images/app/Dockerfile", json.dumps(command, ensure_ascii=False)
    plain = built()[path].splitlines()
    lines = built(command=said)[path].splitlines()
    assert lines[:-1] == plain[:-1]
    assert json.loads(lines[-1].removeprefix("CMD ")) == command


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.one_of(TEXT, NASTY))
def test_an_environment_variable_arrives_as_it_was_written(value: str):
    """In the task definition as in the template: no shell and no substitution touches it."""
    said = json.dumps(value.replace("${", "$${"), ensure_ascii=False)
    files = built(env=f"{{GREETING: {said}}}")
    task = json.loads(files["default/task-definitions/api.json"])
    container = next(each for each in task["containerDefinitions"] if each["name"] == "api")
    assert {"name": "GREETING", "value": value} in container["environment"]


LABEL = st.text(st.sampled_from("aZ09 _.:/=+@-"), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(LABEL)
def test_a_label_stays_one_word_of_the_script(label: str):
    """`deploy.sh` hands the tag to the AWS CLI exactly as it was written."""
    script = built(label=label)["default/deploy.sh"]
    tags = re.search(r"^TAGS=.*$", script, re.MULTILINE)
    assert tags
    ask = f'{tags[0]}; printf "%s" "$TAGS"'
    run = subprocess.run(["bash", "-c", ask], capture_output=True, check=True)
    assert {"Key": "note", "Value": label} in json.loads(run.stdout)
