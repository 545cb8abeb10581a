"""Images: which have a repository, who may pull them, and what they are built from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlopsgen.compile import compile_pipeline
from mlopsgen.components.images import rules
from mlopsgen.model.plan import Plan
from mlopsgen.rules.registry import Scene, SpecRule
from tests.components.pipelines import plan, site
from tests.policies import may, properties, stack, statements

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def pulls(found: Plan, repository: str, stack_name: str = "serving-api") -> bool:
    own = statements(found, stack_name, "ExecutionRole")
    return all(may(own, action, f"arn:aws:ecr:{repository}") for action in PULL)


def test_an_image_that_several_run_has_one_repository():
    """A repository for each image that something runs, whoever runs it; none for one that nobody does."""
    found = plan(
        "  images: [{name: app}, {name: unused}]\n"
        "  services: [{name: one, image: app}, {name: two, image: app}]\n"
    )
    assert [each.logical_id for each in stack(found, "registry-app").resources] == ["Repository"]
    assert [each.name for each in found.stacks if each.name.startswith("registry")] == ["registry-app"]
    for name in ("serving-one", "serving-two"):
        assert pulls(found, "ap-southeast-1:123456789012:repository/demo-default/app", name)


def test_nobody_pulls_what_he_does_not_run():
    """The execution role may pull its own image, and not that of a neighbour."""
    found = plan(
        "  images: [{name: app}, {name: other}]\n"
        "  services: [{name: api, image: app}, {name: second, image: other}]\n"
    )
    assert not pulls(found, "ap-southeast-1:123456789012:repository/demo-default/other")


@pytest.mark.parametrize(
    "reference",
    [
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com/team/model@sha256:" + "0" * 64,
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com/team/model:1.2",
        "210987654321.dkr-ecr.eu-west-1.on.aws/team/model:1.2",
    ],
)
def test_an_image_of_another_account_is_pulled_within_the_boundary(reference: str):
    """What is named by its address in ECR may be pulled, by the role and by its boundary."""
    found = plan(
        f"  services: [{{name: api, image: '{reference}'}}]\n"
        "  delivery: {github: {repository: acme/demo}}\n"
    )
    assert pulls(found, "eu-west-1:210987654321:repository/team/model")
    boundary = properties(found, "access", "Boundary")["PolicyDocument"]["Statement"]
    assert may(boundary, PULL[1], "arn:aws:ecr:eu-west-1:210987654321:repository/team/model")


def test_a_public_image_takes_no_right():
    """Public registries ask nobody."""
    found = plan("  services: [{name: api, image: 'public.ecr.aws/docker/library/nginx:1.27'}]\n")
    assert "ecr" not in str(statements(found, "serving-api", "ExecutionRole"))
    assert not [each.name for each in found.stacks if each.name.startswith("registry")]


def test_without_a_key_repositories_are_encrypted_by_aws():
    """With `awsManaged` ECR uses its own key."""
    found = plan(
        "  encryption: {awsManaged: {}}\n  images: [{name: app}]\n  services: [{name: api, image: app}]\n"
    )
    assert properties(found, "registry-app", "Aes256Repository")["EncryptionConfiguration"] == {
        "EncryptionType": "AES256"
    }


def test_a_pipeline_may_have_hundreds_of_images():
    """No template grows with the number of images, however many labels each repository has."""
    names = [f"model-{number}" for number in range(300)]
    images = "".join(f"    - {{name: {name}, context: app}}\n" for name in names)
    services = "".join(f"    - {{name: {name}, image: {name}}}\n" for name in names)
    text = f"""\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {{name: demo, labels: {{team: "{"x" * 200}", owner: "{"y" * 200}"}}}}
spec:
  aws: {{region: eu-west-1}}
  images:
{images}  services:
{services}"""
    (found,) = compile_pipeline(text, "pipeline.yaml")
    assert len([each for each in found.plan.stacks if each.name.startswith("registry-")]) == 300


def test_a_repository_with_another_encryption_has_another_name():
    """It cannot change the encryption of one that is there, nor make a second one of the same name."""
    app = "  images: [{name: app}]\n  services: [{name: api, image: app}]\n"
    found = {
        resource.logical_id: resource.properties["RepositoryName"]
        for encryption in ("", "  encryption: {awsManaged: {}}\n")
        for resource in stack(plan(encryption, app), "registry-app").resources
    }
    assert found == {"Repository": "demo-default/app", "Aes256Repository": "demo-default/app.aes256"}


def findings(rule: SpecRule, folder: Path, images: str) -> list[str]:
    found = site(f"  images: [{images}]\n  services: [{{name: api, image: app}}]\n")
    return [each.message for each in rule(Scene(found, folder, (found,)))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "requirements.txt").write_text("numpy==2.0.0\nscikit_learn==1.7.0\n")
    return tmp_path


def test_a_package_has_something_to_start(folder: Path):
    """Without `__main__.py` or a command `python -m app` would end at once."""
    said = "there is no file `__main__.py` in `app`, which is started as a package"
    assert findings(rules.missing_file, folder, "{name: app}") == [said]
    other = "{name: app, python: {command: [python, -m, app.x]}}"
    assert findings(rules.missing_file, folder, other) == ["there is no module `app.x` in `app`"]
    (folder / "app" / "x.py").touch()
    assert findings(rules.missing_file, folder, other) == []
    of_a_library = "{name: app, python: {command: [python, -m, uvicorn, app.y]}}"
    assert findings(rules.missing_file, folder, of_a_library) == []
    (folder / "app" / "__main__.py").touch()
    assert findings(rules.missing_file, folder, "{name: app}") == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("flask", True),
        ("flask >= 3, < 4", True),
        ("flask[async]", True),
        ("flask  # ==3.0", True),
        ("flask==3.0.0", False),
        ("flask[async] == 3.0.0 ; python_version < '3.12'", False),
        ("flask @ https://example.com/flask-3.0.0.whl", False),
        ("https://example.com/flask-3.0.0.whl", False),
        ("./vendored/flask", False),
        ("-r base.txt", False),
        ("    --hash=sha256:00", False),
        ("# flask", False),
        ("", False),
    ],
)
def test_a_library_without_a_version_is_told(folder: Path, line: str, named: bool):
    """What is locked by its version or its address is the same in each build."""
    (folder / "app" / "requirements.txt").write_text(f"numpy==2.0.0\n{line}\n")
    said = ["`flask` has no version in `app/requirements.txt`"] if named else []
    assert findings(rules.unlocked_library, folder, "{name: app}") == said


def test_the_root_of_the_repository_can_be_the_context(folder: Path):
    """With `context: .` the command says what to start, and the Dockerfile is the repository's own."""
    own = "python: {requirements: app/requirements.txt, command: [python, -m, app]}"
    (folder / "Dockerfile").touch()
    for image in (f"{{name: app, context: ., {own}}}", "{name: app, context: ., dockerfile: {}}"):
        for rule in (
            rules.missing_context,
            rules.missing_file,
            rules.context_as_package,
            rules.leaves_the_folder,
        ):
            assert findings(rule, folder, image) == []


def test_a_dockerfile_may_lie_beside_its_context(folder: Path):
    """Its path is from the pipeline's folder."""
    (folder / "docker").mkdir()
    (folder / "docker" / "app").touch()
    image = "{name: app, dockerfile: {path: docker/app}}"
    assert findings(rules.missing_file, folder, image) == []
    assert findings(rules.leaves_the_folder, folder, image) == []


@pytest.mark.parametrize("name", ["numpy", "scikit-learn", "scikit_learn", "json"])
def test_a_context_named_as_a_library_is_told(folder: Path, name: str):
    """It would be imported in place of the library: Python's own, or one that it asks for."""
    (folder / "src").mkdir()
    (folder / "app").rename(folder / "src" / name)
    assert len(findings(rules.context_as_library, folder, f"{{name: app, context: src/{name}}}")) == 1


def test_what_leads_out_through_a_link_is_told(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """A link is followed: neither a context, nor a file in it, nor a Dockerfile leads out."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "requirements.txt").touch()
    (folder / "linked").symlink_to(outside)
    (folder / "app" / "lock.txt").symlink_to(outside / "requirements.txt")
    (folder / "Dockerfile").symlink_to(outside / "requirements.txt")
    told: dict[str, list[Any]] = {
        image: findings(rules.leaves_the_folder, folder, image)
        for image in (
            "{name: app, context: linked}",
            "{name: app, python: {requirements: lock.txt}}",
            "{name: app, dockerfile: {path: Dockerfile}}",
        )
    }
    assert list(told.values()) == [
        ["`linked` leads out of the pipeline's folder through a link"],
        ["`lock.txt` leads out of `app` through a link"],
        ["`Dockerfile` leads out of the pipeline's folder through a link"],
    ]
