"""Whatever stands in the file, the compiler returns or rejects it, and says why at a place in it."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlopsgen.cli import main
from mlopsgen.compile import Compiled, artifacts, compile_file, compile_pipeline
from mlopsgen.diagnostics import machine
from mlopsgen.diagnostics.diagnostic import Diagnostic, Rejected
from mlopsgen.diagnostics.text import render
from mlopsgen.rules.catalogue import stories
from mlopsgen.source.node import plain
from mlopsgen.source.parse import parse
from mlopsgen.source.read import decode
from tests import described
from tests.cases import KNOWN

CODES = stories()

NAME = "pipeline.yaml"


TIMES = int(os.environ.get("MLOPSGEN_FUZZ", "0"))
"""How many times as many examples, new ones at each run (`make fuzz`); 0: the usual ones."""


def quick(examples: int) -> Any:
    """The same examples at each run, however long one takes."""
    return settings(
        max_examples=examples * (TIMES or 1),
        derandomize=not TIMES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def survives(text: str) -> Compiled | None:
    """Compile it, and hold whatever is said against it to what is promised of every diagnostic."""
    try:
        compilations = compile_pipeline(text, NAME)
    except Rejected as rejected:
        assert rejected.diagnostics
        sound(rejected.diagnostics, text)
        return None
    compiled = Compiled(compilations, artifacts(compilations, {}))
    sound(compiled.findings, text)
    for stack in (stack for each in compilations for stack in each.plan.stacks):
        for listed in (stack.resources, stack.parameters, stack.outputs):
            names = [getattr(each, "logical_id", None) or each.name for each in listed]
            # Of two with one name a template would hold the second alone.
            assert len(set(names)) == len(names), stack.name
    return compiled


def sound(diagnostics: tuple[Diagnostic, ...], text: str) -> None:
    """Each has a code that can be explained and a place in the file, and every format can show it."""
    lines = text.splitlines() or [""]
    for each in diagnostics:
        assert each.code in CODES
        assert each.message.strip()
        assert len(each.message) < 2000
        assert (each.message + (each.help or "")).isprintable()
        assert each.labels
        for label in each.labels:
            assert label.span.file == NAME
            assert 1 <= label.span.line <= len(lines) + 1
            assert label.span.column >= 1
    assert render(diagnostics, {NAME: text})
    json.loads(machine.to_json(diagnostics))
    json.loads(machine.to_sarif(diagnostics, CODES))
    assert machine.to_github(diagnostics).count("\n") == len(diagnostics)


@quick(200)
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes):
    """Bytes of any kind are text or are refused."""
    try:
        text = decode(content, NAME)
    except Rejected as rejected:
        assert rejected.diagnostics[0].code in ("E001", "E002")
    else:
        survives(text)


YAML = st.text(st.sampled_from("abc:-?,[]{}#&*!|>'\"%@` \n\t0.~<=é\u2028\U0001f600\x85"), max_size=60)


@quick(600)
@given(YAML)
def test_any_yaml(text: str):
    """Strings of what means something to YAML."""
    survives(text)


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [
            "", "0", "0s", "1e999", ".inf", "-1", "99999999999999999999d", "9999999Ti", "999m", "2Gi", "30d",
            "~", "../..", "/", "a" * 300, "a-b", "a--b", "${AWS::AccountId}", "${x}", "{{resolve:ssm:x}}",
            "$(id)", "`id`", "'", '"', "\\", "\n", "\x7f", "é", "\u202e", "arn:aws:iam::123456789012:role/x",
            "arn:aws:s3:::b",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf", "10.0.0.0/33", "0.0.0.0/0",
            "10.0.0.0/16", "* * * * *", "0 0 31 2 *", "*/0 * * * *", "UTC", "eu-west-1", "m5.large",
            "g4dn.xlarge", "internal", "internet-facing", "default", "models", "model", "sentiment-api",
            "70%", "20/s", "250ms", "1200/m", "fargate", "fargate-spot", "public", "app", "nginx:1.27",
            "$${x}", "${environment}", "a\u2028b", "sg-01234567", "fs-01234567", "/dev/shm", "/",
        ]
    ),
)  # fmt: skip
KEYS = st.one_of(st.text(max_size=8), st.sampled_from(["name", "Ref", "Fn::Sub"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=6,
)  # fmt: skip


@quick(150)
@given(VALUES)
def test_any_document(document: Any):
    """A document of any shape."""
    survives(json.dumps(document, ensure_ascii=False))


@cache
def documents() -> tuple[Any, ...]:
    """Every known pipeline, as plain data; small enough to be compiled often."""
    found = (listed(plain(parse(case.pipeline.read_text(), NAME))) for case in KNOWN)
    return tuple(each for each in found if len(json.dumps(each)) < 6000)


@cache
def contexts() -> frozenset[str]:
    """Every folder that a known pipeline builds an image from."""
    images = (image for document in documents() for image in document["spec"]["images"])
    return frozenset(image.get("context", image["name"]) for image in images)


def listed(value: Any) -> Any:
    match value:
        case tuple():
            return [listed(item) for item in value]
        case dict():
            return {key: listed(item) for key, item in value.items()}
        case _:
            return value


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from places(item)


Place = tuple[str, ...]
"""Where a value stands, whatever its list's number: `("spec", "services", "[]", "port")`."""


def inside(value: Any, at: Place = ()) -> Iterator[tuple[Any, Any, Place]]:
    """Every (container, key, place) below `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        place = (*at, key if isinstance(value, dict) else "[]")
        yield value, key, place
        yield from inside(item, place)


@cache
def said() -> dict[Place, tuple[Any, ...]]:
    """What the known pipelines say at each place."""
    found: dict[Place, list[Any]] = {}
    for case in KNOWN:
        for container, key, place in inside(listed(plain(parse(case.pipeline.read_text(), NAME)))):
            values = found.setdefault(place, [])
            if container[key] not in values:
                values.append(container[key])
    return {place: tuple(values) for place, values in found.items()}


@cache
def words() -> dict[str, tuple[Any, ...]]:
    """What the known pipelines say under each key, but for what things are called and what holds others."""
    found: dict[str, list[Any]] = {}
    for place, values in said().items():
        if place[-1] not in ("[]", "name", "environments") and place[0] == "spec":
            scalars = [each for each in values if isinstance(each, str | int) and each not in (False, "", 0)]
            found.setdefault(place[-1], []).extend(
                each for each in scalars if each not in found.get(place[-1], ())
            )
    return {key: tuple(values) for key, values in found.items() if values}


def test_words_are_of_the_language():
    """Where documents say what fits a pattern, the pattern is one that the language has."""
    assert not described.WORDS.keys() - {*described.patterns()}


def likely(draw: st.DrawFn, document: Any) -> None:
    """A change that a user could mean: what another pipeline says there, a number beside, a key less."""
    places_ = list(inside(document))
    container, key, place = places_[draw(st.integers(0, len(places_) - 1))]
    value = container[key]
    match draw(st.sampled_from(["graft", "graft", "grow", "grow", "nudge", "drop", "repeat"])):
        case "grow" if isinstance(value, dict):
            absent = sorted(
                each[-1]
                for each in said()
                if each[:-1] == place and each[-1] not in (*value, "[]", "environments")
            )
            if absent:
                name = draw(st.sampled_from(absent))
                value[name] = copy.deepcopy(draw(st.sampled_from(said()[(*place, name)])))
        case "nudge" if isinstance(value, bool):
            container[key] = not value
        case "nudge" if isinstance(value, int):
            container[key] = max(0, draw(st.sampled_from([value - 1, value + 1, value * 2, value * 100])))
        case "drop" if key not in ("name", "image"):
            del container[key]
        case "repeat" if isinstance(container, list) and isinstance(value, dict) and "name" in value:
            container.append({**copy.deepcopy(value), "name": draw(st.sampled_from(["x", "y-1", "z" * 32]))})
        case _ if place in said():
            container[key] = copy.deepcopy(draw(st.sampled_from(said()[place])))


def wild(draw: st.DrawFn, document: Any) -> None:
    """A change that nobody means."""
    found = list(places(document))
    container, key = found[draw(st.integers(0, len(found) - 1))]
    match draw(st.sampled_from(["drop", "replace", "replace", "replace", "move", "rename", "repeat"])):
        case "drop":
            del container[key]
        case "replace":
            container[key] = draw(VALUES)
        case "move":
            other, place = found[draw(st.integers(0, len(found) - 1))]
            container[key] = copy.deepcopy(other[place])
        case "rename" if isinstance(container, dict):
            container[draw(st.sampled_from(["", "x", "name", "spec", key + "s"]))] = container.pop(key)
        case "repeat" if isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        case _:
            container[key] = [container[key]]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A known pipeline with a few changes, as text; most of them such that it may be built all the same."""
    document = copy.deepcopy(draw(st.sampled_from(documents())))
    if draw(st.integers(0, 3)):
        # One environment is enough, and compiled sooner.
        document["spec"].pop("environments", None)
        document["spec"].pop("delivery", None)
        for container, key, _ in list(inside(document)):
            if key == "environments":
                del container[key]
    change = likely if draw(st.integers(0, 4)) else wild
    for _ in range(draw(st.integers(1, 3))):
        if document:
            change(draw, document)
    text = json.dumps(document, ensure_ascii=False)
    if draw(st.integers(0, 29)) == 0:
        # A key twice, which no data can say.
        text = text.replace('"name":', '"name": "x", "name":', 1)
    return text


@quick(300)
@given(mutated())
def test_known_pipelines_changed(text: str):
    """A sound pipeline with something missing, moved, repeated or of another kind."""
    compiled = survives(text)
    for artifact in compiled.artifacts if compiled else ():
        if artifact.path.endswith(".json"):
            json.loads(artifact.text)
        elif artifact.path.endswith((".yaml", ".yml")):
            list(yaml.parse(artifact.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@quick(300)
@given(described.documents(VALUES, words()))
def test_everything_that_can_be_said(document: Any):
    """Any value of any field, in any combination, is compiled or refused."""
    survives(json.dumps(document, ensure_ascii=False))


PATCHED = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  images: [{name: app}]
  services: [{name: api, image: app, reads: [raw], ingress: [{name: web}]}]
  patches: [%s]
"""

PROPERTIES = [
    "Cluster", "ContainerDefinitions", "Cpu", "DashboardBody", "DeploymentConfiguration", "Environment",
    "Image", "LaunchType", "LoadBalancers", "LogGroupName", "Metrics", "Name", "Policies", "Policies.Ref",
    "PortMappings", "RequiresCompatibilities", "Tags", "TaskDefinition", "TaskRoleArn", "X", "X.Y.Z",
]  # fmt: skip


@quick(150)
@given(
    st.sampled_from(
        ["serving-api.Service", "serving-api.TaskDefinition", "serving-api.TaskRole", "serving-api.LogGroup",
         "observability-api.Dashboard", "observability-api.CpuAlarm", "foundation.DataBucket"]
    ),
    st.sampled_from([None, "api", "other"]),
    st.sampled_from(PROPERTIES),
    VALUES,
)  # fmt: skip
def test_any_patch(target: str, container: str | None, path: str, value: Any):
    """A patch can put anything anywhere, and is then refused or written."""
    stack, resource = target.split(".")
    patch = {
        "name": "some",
        "stack": stack,
        "resource": resource,
        "path": path,
        "value": value,
        "reason": "To see what comes",
    }
    if container:
        patch["container"] = container
    survives(PATCHED % json.dumps(patch, ensure_ascii=False))


@quick(40)
@given(
    mutated(),
    st.sampled_from(
        [
            ["validate", "-o", "sarif"],
            ["validate", "-o", "github"],
            ["render", "--env", "prod"],
            ["build", "--check", "--env", "prod"],
        ]
    ),
)
def test_commands_end_well(text: str, command: list[str]):
    """A command is done, or says what is wrong and ends with 1; it never calls itself broken."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_text(text, "utf-8", "surrogateescape")
        for context in contexts():
            (path.parent / context).mkdir(parents=True)
            (path.parent / context / "requirements.txt").touch()
            (path.parent / context / "__main__.py").touch()
        output, errors = StringIO(), StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            code = main([*command, str(path)])
    assert code in (0, 1)
    assert "this is a bug" not in errors.getvalue()


STEPS = st.sampled_from(
    ["app", "..", ".", "link", "inside", "loop", "file", "x", "-x", "requirements.txt", "a" * 300]
)
PATHS = st.lists(STEPS, min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a context can be: a folder, a file, links inwards, outwards and to themselves."""
    root = tmp_path_factory.mktemp("outside")
    folder = root / "project"
    (folder / "app" / "app").mkdir(parents=True)
    for place in (root, folder / "app", folder / "app" / "app"):
        (place / "requirements.txt").touch()
    (folder / "file").touch()
    (folder / "link").symlink_to(root)
    (folder / "app" / "link").symlink_to(root)
    (folder / "inside").symlink_to("app")
    (folder / "loop").symlink_to("loop")
    return folder


@quick(150)
@given(PATHS, st.one_of(st.none(), PATHS), st.one_of(st.none(), PATHS))
def test_any_context(project: Path, context: str, requirements: str | None, dockerfile: str | None):
    """What is built lies below the pipeline's folder, links followed, or is refused."""
    python = {"command": ["serve"]} | ({"requirements": requirements} if requirements else {})
    way = {"dockerfile": {"path": dockerfile}} if dockerfile else {"python": python}
    path = project / NAME
    image = json.dumps({"name": "app", "context": context, **way})
    path.write_text(PATCHED.replace("{name: app}", image) % "")
    try:
        compile_file(path, NAME)
    except Rejected as rejected:
        sound(rejected.diagnostics, path.read_text())
    else:
        assert (project / context).resolve().is_relative_to(project.resolve())
        inside = (project / (dockerfile or f"{context}/{requirements or 'requirements.txt'}")).resolve()
        assert inside.is_file()
        assert inside.is_relative_to((project if dockerfile else project / context).resolve())


@pytest.mark.parametrize(
    "text",
    [
        'metadata: {name: "\\e]0;pwned\\a"}',
        '"\\e[2J": 1',
        'metadata: {name: demo, "\\u202e": 1}',
        f"metadata: {{{'x' * 1_000_000}: 1}}",
        f"metadata: {{name: demo, name{'x' * 1000}: 1}}",
        f"a: *{'x' * 1000}",
    ],
    ids=["title", "clear", "direction", "huge key", "long key", "long alias"],
)
def test_terminals_are_safe(text: str):
    """No value of the file's reaches a terminal as more than printable text of a bearable length."""
    assert survives(text) is None


def test_aliases_cannot_grow():
    """A billion values in ten lines are refused before they are made."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 10)]
    with pytest.raises(Rejected, match="E003"):
        compile_pipeline("\n".join(lines), NAME)


def test_aliases_of_themselves():
    """An alias within what it names stands for nothing yet."""
    with pytest.raises(Rejected, match="E005"):
        compile_pipeline("a: &a [*a]", NAME)


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? "])
def test_nesting_is_bounded(bracket: str):
    """A hundred thousand levels are refused, and nothing is exhausted."""
    with pytest.raises(Rejected, match=r"E003|E001"):
        compile_pipeline(bracket * 100_000, NAME)


@pytest.mark.parametrize(
    "scalar", ["x" * 3_000_000, "1" * 1_000_000, "1e" + "9" * 100_000, '"' + "\\n" * 1_000_000 + '"'], ids=len
)
def test_huge_scalars(scalar: str):
    """A value of millions of characters is a value like any other."""
    assert survives(f"metadata: {{name: {scalar}}}") is None


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "cp037", "utf-7", "shift-jis"]
)
def test_other_encodings(encoding: str, tmp_path: Path):
    """What is not UTF-8 is refused, or is text all the same."""
    path = tmp_path / NAME
    path.write_bytes("metadata: {name: café, größe: 5}".encode(encoding, "replace"))
    with pytest.raises(Rejected):
        compile_file(path, NAME)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path):
    """Editors that begin UTF-8 with a mark are forgiven."""
    text = "apiVersion: mlopsgen.io/v1\nkind: Pipeline\nmetadata: {name: demo}\nspec:\n"
    text += "  aws: {region: eu-west-1}\n"
    path = tmp_path / NAME
    path.write_bytes(text.encode("utf-8-sig"))
    assert compile_file(path, NAME).environments == ("default",)
