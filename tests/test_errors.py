"""Bad input: what a user sees, byte for byte, and the story of every code."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlopsgen.cli import main
from mlopsgen.compile import compile_document
from mlopsgen.diagnostics.diagnostic import Rejected
from mlopsgen.rules.catalogue import reference, stories
from mlopsgen.rules.registry import plan_rules, spec_rules
from mlopsgen.source.parse import parse
from tests.cases import ROOT
from tests.overlay import overlay

CODES = stories()

TESTS = Path(__file__).parent

FILES = {path.stem: path for path in sorted(TESTS.rglob("errors/*.yaml"))}
"""The bad pipelines, each in the folder of the room that finds what is wrong."""

# The pipeline that the examples of the catalogue are laid over.
BASE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  images: [{name: train}, {name: app}]
  models: [{name: sentiment}]
  jobs: [{name: trainer, image: train, produces: [sentiment]}]
  services: [{name: api, image: app, loads: [sentiment]}]
"""

HEAD = (
    "apiVersion: mlopsgen.io/v1\nkind: Pipeline\nmetadata: {name: demo}\nspec:\n  aws: {region: eu-west-1}\n"
)


def many(count: int, service: str, more: str = "") -> str:
    """A pipeline of `count` services, `{number}` and `{uri}` filled in, and `more` of its spec."""
    uri = f"example.com/app@sha256:{'0' * 64}"
    lines = [f"    - {service.format(number=number, uri=uri)}\n" for number in range(count)]
    return HEAD + more + "  services:\n" + "".join(lines)


def variables(count: int, name: str = "VARIABLE", value: str = "value") -> str:
    """A service with that many environment variables."""
    return ", ".join(f"{name}_{number}: {value}" for number in range(count))


def labels(count: int) -> str:
    """That many labels, each as long as AWS takes it."""
    return ", ".join(f"label-{number}: {'v' * 256}" for number in range(count))


def schedules(count: int) -> str:
    """That many changes of the replicas, each at a minute of its own."""
    return ", ".join(
        f"{{name: at-{n}, cron: '{n % 60} {n // 60} * * *', min: {1 + n % 2}}}" for n in range(count)
    )


def triggers(count: int) -> str:
    """That many triggers, an hour after each other."""
    return ", ".join(f"{{name: t{n}, schedule: {{cron: '0 {n} * * *'}}}}" for n in range(count))


def routes(count: int) -> str:
    """That many ways in, each by a path of its own."""
    return ", ".join(f"{{name: r{n}, paths: [/{n}]}}" for n in range(count))


SERVICE = "{{name: s{number}, image: '{uri}', ingress: [{{name: web, paths: [/{number}]"

# What would be too large to keep: each file is made when it is needed, and its whole text compared too.
MADE: dict[str, Callable[[], bytes | None]] = {
    "E001-utf-16": lambda: HEAD.encode("utf-16"),
    "E001-latin-1": lambda: b"# caf\xe9\n" + HEAD.encode(),
    "E001-control-character": lambda: HEAD.replace("demo", "de\x07mo").encode(),
    "E002-large": lambda: b"#" * (4 * 1024 * 1024 + 1),
    "E003-deep": lambda: b"[" * 10_000,
    "E003-aliases": lambda: "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10 if level else ['x'])}]\n"
        for level in range(9)
    ).encode(),
    "E010-missing": lambda: None,
    "E301-large-template": lambda: (
        f"{HEAD}  images: [{{name: app}}]\n"
        f"  services: [{{name: api, image: app, env: {{{variables(900)}}}}}]\n"
    ).encode(),
    "E301-retries": lambda: (
        f"{HEAD}  images: [{{name: train}}]\n  jobs: [{{name: trainer, image: train, "
        f"retries: {{onLostCapacity: 10}}, triggers: [{triggers(3)}]}}]\n"
    ).encode(),
    "E301-routes": lambda: (
        f"{HEAD}  images: [{{name: app}}]\n  services: [{{name: api, image: app, "
        f"deployment: {{canary: {{}}}}, ingress: [{routes(5)}]}}]\n"
    ).encode(),
    "E302-many-resources": lambda: (
        f"{HEAD}  monitoring:\n    notify:\n"
        + "".join(f"      - {{name: n{n}, email: a{n}@example.com}}\n" for n in range(500))
    ).encode(),
    "E301-labels": lambda: (
        HEAD.replace("{name: demo}", f"{{name: demo, labels: {{{labels(40)}}}}}")
        + "  images: [{name: app}]\n  services: [{name: api, image: app}]\n"
    ).encode(),
    "E391-schedules": lambda: (
        f"{HEAD}  images: [{{name: app}}]\n  services: [{{name: api, image: app, replicas: {{min: 1, max: 4, "
        f"schedules: [{schedules(201)}]}}}}]\n"
    ).encode(),
    "W355-rules": lambda: (
        f"{HEAD}  images: [{{name: train}}]\n  jobs:\n"
        + "".join(
            f"    - {{name: job{n}, image: train, retries: {{onLostCapacity: 5}}}}\n" for n in range(61)
        )
    ).encode(),
    "E303-large-task": lambda: (
        f"{HEAD}  images: [{{name: app}}]\n"
        f"  services: [{{name: api, image: app, env: {{{variables(10, value='x' * 7000)}}}}}]\n"
    ).encode(),
    "E345-target-groups": lambda: many(101, SERVICE + "}}]}}").encode(),
    "W345-services": lambda: many(61, SERVICE + "}}]}}").encode(),
    "W344-rules": lambda: many(101, SERVICE + "}}]}}").encode(),
}  # fmt: skip


def seen(folder: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What `mlopsgen validate` prints of a file in `folder`, and how it ends."""
    monkeypatch.chdir(folder)
    code = main(["validate", name])
    shown = capsys.readouterr()
    assert shown.err == ""
    return f"{shown.out}exit code {code}\n"


def compare(text: str, name: str, expected: Path, bless: bool) -> None:
    if bless:
        expected.parent.mkdir(parents=True, exist_ok=True)
        expected.write_text(text)
    assert text == expected.read_text()
    code = name.partition("-")[0]
    assert f"[{code}]" in text
    assert text.endswith(f"exit code {0 if ' error' not in text.splitlines()[-2] else 1}\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the two programs that bad pipelines speak of."""
    for name in ("app", "train"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__main__.py").touch()
        (tmp_path / name / "requirements.txt").write_text("numpy==2.0.0\n")
    loose = "numpy==2.0.0 --hash=sha256:00\n-r other.txt\nflask[async]>=3\n"
    (tmp_path / "app" / "unpinned").write_text(loose)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_user_sees(
    name: str,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    bless: bool,
):
    """Every bad pipeline gets exactly the text that was reviewed, with its code, the line and a caret."""
    shutil.copy(FILES[name], project / f"{name}.yaml")
    text = seen(project, f"{name}.yaml", capsys, monkeypatch)
    compare(text, name, FILES[name].with_suffix(".txt"), bless)


@pytest.mark.parametrize("name", MADE)
def test_user_sees_of_a_made_file(
    name: str,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    bless: bool,
):
    """The same for files that are too large or too odd to keep."""
    content = MADE[name]()
    if content is not None:
        (project / "pipeline.yaml").write_bytes(content)
    text = seen(project, "pipeline.yaml", capsys, monkeypatch)
    expected = next(TESTS.rglob(f"errors/{name}.txt"), TESTS / "rules" / "errors" / f"{name}.txt")
    compare(text, name, expected, bless)


def codes_in_use() -> set[str]:
    """Every code that the compiler can say."""
    sources = [path.read_text() for path in (ROOT / "mlopsgen").rglob("*.py") if path.name != "stories.py"]
    return {code for text in sources for code in re.findall(r'"([EW]\d{3})"', text)}


def test_every_code_has_a_story():
    """`mlopsgen explain` knows each code that a user can meet, and no other."""
    assert sorted(codes_in_use()) == sorted(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_case(code: str):
    """The exact text of each code is reviewed at least once."""
    assert [name for name in (*FILES, *MADE) if name.startswith(f"{code}-")]


def test_no_code_has_two_rules():
    """A code tells one story."""
    codes = [each.code for each in (*spec_rules(), *plan_rules())]
    assert len(codes) == len(set(codes))


def said(text: str, folder: Path) -> set[str]:
    """The codes that a part of a pipeline gets, or a whole file that is none."""
    try:
        root = overlay(parse(BASE, "pipeline.yaml"), parse(text, "pipeline.yaml"))
        compilations = compile_document(root, folder)
    except Rejected as rejected:
        return {each.code for each in rejected.diagnostics}
    return {finding.code for each in compilations for finding in each.findings}


EXAMPLES = sorted(code for code, story in CODES.items() if story.wrong)


@pytest.mark.parametrize("code", EXAMPLES)
def test_wrong_example_is_wrong(code: str, project: Path):
    """What the catalogue shows as wrong gets that code."""
    assert code in said(CODES[code].wrong, project)


@pytest.mark.parametrize("code", EXAMPLES)
def test_right_example_is_right(code: str, project: Path):
    """What the catalogue shows as right gets no error, and not that warning."""
    codes = said(CODES[code].right, project)
    assert code not in codes
    assert not [each for each in codes if each.startswith("E")]


def test_reference_of_codes_is_current(bless: bool):
    """docs/errors.md says what the catalogue says."""
    path = ROOT / "docs" / "errors.md"
    if bless:
        path.write_text(reference())
    assert path.read_text() == reference()


@pytest.mark.parametrize("code", sorted(CODES))
def test_explain_tells_the_story(code: str, capsys: pytest.CaptureFixture[str]):
    """`mlopsgen explain CODE` prints title, text and examples, in any case of letters."""
    story = CODES[code]
    assert main(["explain", code.lower()]) == 0
    shown = capsys.readouterr().out
    assert story.title in shown.splitlines()[0]
    assert " ".join(story.text.split()) in " ".join(shown.split())
    for example in (story.wrong, story.right):
        assert all(line in shown for line in example.splitlines())


def test_explain_lists_the_codes(capsys: pytest.CaptureFixture[str]):
    """`mlopsgen explain codes` prints each code with its title."""
    assert main(["explain", "codes"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"{code}  {story.title}" for code, story in CODES.items()]
    assert main(["explain", "codes", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["E203"] == CODES["E203"].title


def test_explain_documents_the_language(capsys: pytest.CaptureFixture[str]):
    """A path gives its type, its text and its fields, through lists and environments too."""
    for path in (
        "spec.services.replicas",
        "services.replicas",
        "spec.environments.prod.services[0].replicas",
    ):
        assert main(["explain", path]) == 0
        shown = capsys.readouterr().out
        assert "<map>" in shown
        assert "max  <integer>  0 to 5000" in shown
    assert main(["explain", "spec.images.python.version", "-o", "json"]) == 0
    version = json.loads(capsys.readouterr().out)
    assert version == {
        "path": "spec.images.python.version", "type": "string", "range": None, "required": False,
        "default": "3.11", "choice": False, "later": False, "text": "The version of Python, in quotes.",
        "fields": [],
    }  # fmt: skip
    assert main(["explain", "spec.services.calls"]) == 0
    assert "not yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("topic", "help_"),
    [
        ("spec.servces", "did you mean `spec.services`?"),
        ("spec.services.replicas.min.x", "it is no map"),
        ("E999", "there is no code E999"),
        ("bogus", "the language has no key `bogus`"),
        ("replcas", "the language has no key `replcas`; did you mean `replicas`?"),
        (
            "replicas",
            "`replicas` stands in several places:\n"
            "  mlopsgen explain spec.services.replicas\n"
            "  mlopsgen explain spec.workers.replicas\n",
        ),
    ],
)
def test_explain_suggests(topic: str, help_: str, capsys: pytest.CaptureFixture[str]):
    """What there is not gets the nearest that there is, and exit code 1."""
    assert main(["explain", topic]) == 1
    assert help_ in capsys.readouterr().err


def test_same_fault_in_two_environments_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A fault of the base is the base's, whatever the number of environments."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        BASE.replace("region: eu-west-1", "region: eu-west-9") + "  environments: {a: {}, b: {}}\n"
    )
    for name in ("app", "train"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__main__.py").touch()
        (tmp_path / name / "requirements.txt").touch()
    assert main(["validate", str(path)]) == 1
    assert capsys.readouterr().out.count("[E320]") == 1


def test_symbolic_links_cannot_lead_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Neither a context nor a file of it is anything outside, by a link or by a loop of links."""
    project, outside = tmp_path / "project", tmp_path / "outside"
    for folder in (project / "app", project / "train", outside):
        folder.mkdir(parents=True)
    (outside / "requirements.txt").write_text("secret")
    (project / "app" / "requirements.txt").symlink_to(outside / "requirements.txt")
    for name in ("__main__.py", "requirements.txt"):
        (project / "train" / name).touch()
    path = project / "pipeline.yaml"
    path.write_text(BASE)
    assert main(["validate", str(path)]) == 1
    assert "`requirements.txt` leads out of `app` through a link" in capsys.readouterr().out
    (project / "app" / "requirements.txt").unlink()
    (project / "app").rmdir()
    (project / "app").symlink_to(outside)
    assert main(["validate", str(path)]) == 1
    assert "`app` leads out of the pipeline's folder through a link" in capsys.readouterr().out
    (project / "app").unlink()
    (project / "app").symlink_to(project / "app")
    assert main(["validate", str(path)]) == 1
    assert "[E23" in capsys.readouterr().out
    (project / "app").unlink()
    (project / "inside").mkdir()
    for name in ("__main__.py", "requirements.txt"):
        (project / "inside" / name).touch()
    (project / "app").symlink_to("inside")
    assert main(["validate", str(path)]) == 0
