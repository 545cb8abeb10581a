"""Task definitions are what the ECS API takes, and what the template holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.model import ListShape, MapShape, StructureShape
from botocore.validate import ParamValidator

from tests.cases import KNOWN

FILES = {
    f"{case.name}/{path.relative_to(case.built)}": path
    for case in KNOWN
    for path in sorted(case.built.glob("*/task-definitions/*.json"))
}


@pytest.fixture(scope="session")
def request_shape() -> Any:
    """What botocore, and so the AWS CLI, knows of `register-task-definition`."""
    model = botocore.session.get_session().get_service_model("ecs")
    return model.operation_model("RegisterTaskDefinition").input_shape


@pytest.mark.parametrize("name", FILES)
def test_the_api_takes_it(name: str, request_shape: Any):
    """botocore's own model finds no missing, unknown or mistyped field, and no value outside its enums."""
    document = json.loads(FILES[name].read_text())
    report = ParamValidator().validate(document, request_shape)
    assert report.generate_report() == ""
    assert sorted(outside(document, request_shape)) == []


def outside(value: Any, shape: Any, path: str = "") -> list[str]:
    """Values that the model's enums do not list; botocore itself does not check them."""
    match shape:
        case StructureShape():
            return [
                each
                for key, item in value.items()
                for each in outside(item, shape.members[key], f"{path}.{key}")
            ]
        case ListShape():
            return [each for item in value for each in outside(item, shape.member, f"{path}[]")]
        case MapShape():
            return [each for item in value.values() for each in outside(item, shape.value, f"{path}{{}}")]
        case _:
            allowed = getattr(shape, "enum", None)
            return [f"{path}: {value}"] if allowed and value not in allowed else []


@pytest.mark.parametrize("name", FILES)
def test_it_says_what_the_template_says(name: str):
    """Field by field, but for values that exist only once the stack does."""
    path = FILES[name]
    stacks = path.parent.parent / "stacks"
    (stack,) = (
        each
        for each in stacks.glob(f"*-{path.stem}.yaml")
        if "Type: AWS::ECS::TaskDefinition" in each.read_text()
    )
    template = yaml.load(stack.read_text(), Loader=Loader)["Resources"]
    (body,) = (each["Properties"] for each in template.values() if each["Type"] == "AWS::ECS::TaskDefinition")
    document = json.loads(path.read_text())
    assert literals(folded(body)) == literals(folded(document), folded(body))
    assert {key.lower() for key in body} == {key.lower() for key in document}


class Function:
    """A value that CloudFormation computes."""


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, each of which gives a `Function`."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: Function())

# Maps whose keys are the user's own.
OPAQUE = ("options", "dockerlabels", "labels", "driveropts")


def folded(value: Any, own: bool = False) -> Any:
    """The same without capitals in its keys, which the template and the API spell each in their own way."""
    if isinstance(value, dict):
        return {
            key if own else key.lower(): folded(item, key.lower() in OPAQUE) for key, item in value.items()
        }
    return [folded(item) for item in value] if isinstance(value, list) else value


def literals(value: Any, mirror: Any = None, path: str = "") -> dict[str, Any]:
    """Every literal by its path, leaving out what is a function in `mirror` (or in the value itself)."""
    mirror = value if mirror is None else mirror
    if isinstance(mirror, Function):
        return {}
    if isinstance(value, dict):
        pairs = [(key, item, mirror[key]) for key, item in value.items()]
    elif isinstance(value, list):
        assert len(value) == len(mirror), path
        pairs = [(str(index), item, mirror[index]) for index, item in enumerate(value)]
    else:
        return {path: value}
    return {
        at: found
        for key, item, other in pairs
        for at, found in literals(item, other, f"{path}/{key}").items()
    }


def test_every_case_has_task_definitions():
    """A case without one would prove nothing here."""
    assert {name.split("/")[0] for name in FILES} == {case.name for case in KNOWN}


def test_the_rarer_parts_are_among_them():
    """File systems, memory as a folder, and containers that wait for others: each is proven somewhere."""
    written = "".join(path.read_text() for path in FILES.values())
    for part in ("efsVolumeConfiguration", "accessPointId", "tmpfs", "dependsOn", "secrets", "ulimits"):
        assert f'"{part}"' in written


Containers = list[tuple[str, dict[str, Any]]]

OPENER = "mlopsgen-volumes"
"""The container that opens a task's empty volumes, before the others start."""

# What Docker gives a container that drops nothing (Docker documentation, "Linux kernel capabilities").
CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
    "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}  # fmt: skip


def test_containers_run_with_the_least(containers: Containers):
    """Each has a numeric user that is not root, a read-only root, no capabilities and an init process."""
    own = [(name, each) for name, each in containers if each["name"] != OPENER]
    assert own
    for name, container in own:
        assert int(container["user"].split(":")[0]) > 0, name
        assert container["readonlyRootFilesystem"] is True, name
        assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"], name
        assert container["linuxParameters"]["initProcessEnabled"] is True, name
        assert container["logConfiguration"]["options"]["mode"] == "non-blocking", name
        assert any(mount["containerPath"] == "/tmp" for mount in container["mountPoints"]), name


def test_what_runs_as_root_opens_volumes_and_nothing_else(containers: Containers):
    """One command on the volumes that it is given, without a secret, a port or a file that it could write."""
    openers = [(name, each) for name, each in containers if each["name"] == OPENER]
    assert openers
    for name, opener in openers:
        assert not {"command", "environment", "portMappings", "secrets"} & set(opener), name
        assert opener["entryPoint"] == ["chmod", "1777", *(e["containerPath"] for e in opener["mountPoints"])]
        assert opener["user"] == "0", name
        assert opener["essential"] is False, name
        assert opener["readonlyRootFilesystem"] is True, name
        assert CAPABILITIES - set(opener["linuxParameters"]["capabilities"]["drop"]) == {"FOWNER"}, name


def test_containers_wait_for_those_that_come_before_them(containers: Containers):
    """Whoever has volumes opened for it starts once that has been done."""
    for name, path in FILES.items():
        own = [each for file, each in containers if file == name]
        waits = {"containerName": OPENER, "condition": "SUCCESS"}
        opened = OPENER in {each["name"] for each in own}
        for each in own:
            if each["name"] != OPENER:
                assert (waits in each.get("dependsOn", [])) is opened, path


@pytest.fixture
def containers() -> Containers:
    return [
        (name, container)
        for name, path in FILES.items()
        for container in json.loads(Path(path).read_text())["containerDefinitions"]
    ]
