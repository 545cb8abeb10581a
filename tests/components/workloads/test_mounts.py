"""Empty folders of a task: where its program may write."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan
from tests.policies import properties

OWN = "  images: [{name: app}, {name: docker, context: app, dockerfile: {}}]\n"
SCRATCH = "volumes: [{name: scratch, emptyDir: {}}], volumeMounts: [{name: scratch, mountPath: /scratch}]"
MEMORY = (
    "volumes: [{name: shared, emptyDir: {medium: Memory, sizeLimit: 1Gi}}], "
    "volumeMounts: [{name: shared, mountPath: /dev/shm}]"
)
OUTSIDE = "'public.ecr.aws/docker/library/nginx:1.27'"


def service(image: str, *more: str) -> Plan:
    fields = "".join(f", {each}" for each in more)
    return plan(OWN, f"  services: [{{name: api, image: {image}{fields}}}]\n")


def containers(found: Plan) -> list[dict[str, Any]]:
    return properties(found, "serving-api", "TaskDefinition")["ContainerDefinitions"]


def mounts(container: dict[str, Any]) -> list[str]:
    return [each["ContainerPath"] for each in container.get("MountPoints", [])]


@pytest.mark.parametrize(
    ("image", "security", "paths"),
    [
        ("app", "{}", ["/tmp"]),
        ("app", "{readOnlyRootFilesystem: false, reason: It writes beside itself}", []),
        ("docker", "{}", []),
        ("docker", "{readOnlyRootFilesystem: true}", ["/tmp"]),
        (OUTSIDE, "{}", []),
        (OUTSIDE, "{readOnlyRootFilesystem: true}", ["/tmp"]),
    ],
)
def test_tmp_is_writable_always(image: str, security: str, paths: list[str]):
    """Where the root file system can be written it is there already; else there is a volume for it."""
    assert mounts(containers(service(image, f"securityContext: {security}"))[0]) == paths


def test_the_image_of_a_python_program_opens_its_folders_itself():
    """No container runs first: the image has a VOLUME for `/tmp` and for each folder that is mounted."""
    found = service("app", SCRATCH)
    assert len(containers(found)) == 1
    assert mounts(containers(found)[0]) == ["/scratch", "/tmp"]
    assert found.images[0].volumes == ("/scratch", "/tmp")


@pytest.mark.parametrize("image", ["docker", OUTSIDE])
def test_the_folders_of_any_other_image_are_opened_before_it_starts(image: str):
    """The same image runs as root once, does nothing else, and the program waits until it is done."""
    main, opener = containers(service(image, SCRATCH))
    assert main["DependsOn"] == [{"ContainerName": opener["Name"], "Condition": "SUCCESS"}]
    assert (opener["Image"], opener["User"], opener["Essential"]) == (main["Image"], "0", False)
    assert opener["EntryPoint"] == ["chmod", "1777", "/scratch"]
    assert opener["ReadonlyRootFilesystem"] is True
    assert mounts(opener) == mounts(main) == ["/scratch"]


def test_a_program_that_is_root_needs_nothing_opened():
    """What belongs to root is root's to write."""
    found = service("docker", SCRATCH, "securityContext: {runAsUser: 0, reason: It binds a device}")
    assert len(containers(found)) == 1


@pytest.mark.parametrize("image", ["app", OUTSIDE])
def test_memory_is_a_tmpfs_that_everybody_may_write(image: str):
    """No volume and nothing to open; at `/dev/shm` it takes the place of the shared memory."""
    found = service(image, MEMORY)
    assert len(containers(found)) == 1
    assert containers(found)[0]["LinuxParameters"]["Tmpfs"] == [{"ContainerPath": "/dev/shm", "Size": 1024}]
    assert "/dev/shm" not in mounts(containers(found)[0])


def test_memory_that_is_mounted_to_be_read_cannot_be_written():
    found = service("app", MEMORY.replace("/dev/shm", "/shared, readOnly: true"))
    (tmpfs,) = containers(found)[0]["LinuxParameters"]["Tmpfs"]
    assert tmpfs["MountOptions"] == ["ro"]


def test_a_volume_at_tmp_takes_the_place_of_the_one_that_is_there_by_itself():
    """Who mounts something at `/tmp` has that there."""
    tmpfs = service("app", MEMORY.replace("/dev/shm", "/tmp"))
    assert mounts(containers(tmpfs)[0]) == []
    assert containers(tmpfs)[0]["LinuxParameters"]["Tmpfs"] == [{"ContainerPath": "/tmp", "Size": 1024}]
    assert "Volumes" not in properties(tmpfs, "serving-api", "TaskDefinition")
