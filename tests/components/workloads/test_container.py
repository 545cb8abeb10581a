"""What a container is started with."""

from __future__ import annotations

import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from mlopsgen.parts.container import ask_health
from tests.components.pipelines import held, plan, service

OUTSIDE = "  services: [{name: api, image: 'public.ecr.aws/docker/library/redis:7'%s}]\n"


def container(*sections: str) -> dict[str, Any]:
    return dict(held(plan(*sections), "serving-api", "TaskDefinition")["ContainerDefinitions"][0])


@pytest.mark.parametrize(("ports", "first"), [((80,), "80"), ((8080, 443, 500), "443"), ((1024,), None)])
def test_low_ports_are_opened_to_every_user(ports: tuple[int, ...], first: str | None):
    """The kernel keeps them for root otherwise, and root's capabilities are dropped."""
    listed = ", ".join(f"{{name: p{port}, port: {port}}}" for port in ports)
    controls = container(service(ports=f"[{listed}]")).get("SystemControls", [])
    expected = [{"Namespace": "net.ipv4.ip_unprivileged_port_start", "Value": first}] if first else []
    assert controls == expected


@pytest.mark.parametrize(
    ("sections", "dropped"),
    [
        (service(), ["ALL"]),
        (OUTSIDE % ", securityContext: {runAsUser: 999}", ["ALL"]),
        (OUTSIDE % "", None),
        (OUTSIDE % ", securityContext: {runAsUser: 0, reason: it sets up the disk}", None),
    ],
)
def test_capabilities_are_dropped_of_whoever_is_not_root(sections: str, dropped: list[str] | None):
    """Many images start as root, change owners and become somebody else: they keep what that takes."""
    found = container(sections)["LinuxParameters"]
    assert found.get("Capabilities", {}).get("Drop") == dropped
    assert found["InitProcessEnabled"] is True


def test_tasks_carry_their_workloads_name():
    """By it they are told apart in the one cluster, whoever starts them."""
    found = plan(service())
    definition = held(found, "serving-api", "TaskDefinition")
    assert {"Key": "mlopsgen:workload", "Value": "api"} in definition["Tags"]
    assert held(found, "serving-api", "Service")["PropagateTags"] == "TASK_DEFINITION"


@pytest.mark.parametrize(
    ("fields", "entry", "command"),
    [
        ("", None, None),
        (", command: [serve, --fast]", ["serve", "--fast"], None),
        (", args: [--fast]", None, ["--fast"]),
        (", command: [serve], args: [--fast]", ["serve"], ["--fast"]),
    ],
)
def test_command_and_args_are_kubernetes(fields: str, entry: list[str] | None, command: list[str] | None):
    """`command` takes the place of the image's ENTRYPOINT, `args` of its CMD."""
    found = container(OUTSIDE % fields)
    assert (found.get("EntryPoint"), found.get("Command")) == (entry, command)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            service(),
            ["CMD", *ask_health(8080, "/health")],
        ),
        (service(healthCheck="{command: [check]}"), ["CMD", "check"]),
        (service(healthCheck="{enabled: false}"), None),
        (service(ports="[{name: rpc, port: 8080, appProtocol: grpc}]"), None),
        (OUTSIDE % "", None),
        (
            OUTSIDE % ", healthCheck: {command: [sh, -c, redis-cli ping]}",
            ["CMD", "sh", "-c", "redis-cli ping"],
        ),
    ],
)
def test_ecs_runs_what_the_image_has(sections: str, expected: list[str] | None):
    """A command that is given, or Python where it is there for certain; else only load balancers ask."""
    assert container(sections).get("HealthCheck", {}).get("Command") == expected


FOUR = '{cpu: "4", memory: 8Gi}'
POOL = "  capacity: [{name: steady, ec2: {instanceTypes: [m5.2xlarge], max: 4}}]\n"


@pytest.mark.parametrize(
    ("resources", "more", "expected"),
    [
        ("{}", "", {"THREADS": "1", "OMP_NUM_THREADS": "1"}),
        (FOUR, "", {"THREADS": "4", "OMP_NUM_THREADS": "4"}),
        (FOUR, ", env: {OMP_NUM_THREADS: '2'}", {"THREADS": "4", "OMP_NUM_THREADS": "2"}),
        ("{}", ", secrets: {THREADS: {parameter: /threads}}", {"OMP_NUM_THREADS": "1"}),
    ],
    ids=["part of a core", "cores", "the workload's own", "a secret"],
)
def test_a_program_starts_as_many_threads_as_its_task_has_cores(
    resources: str, more: str, expected: dict[str, str]
):
    """On an instance it sees all cores; what the workload says itself stands."""
    found = container(service(resources=f"{resources}{more}"))
    variables = {each["Name"]: each["Value"] for each in found["Environment"]}
    assert {name: variables[name] for name in variables if name.endswith("THREADS")} == expected


def test_a_task_on_instances_has_half_of_its_memory_for_shared_memory():
    """Docker gives 64 MiB; Fargate refuses the setting."""
    asked = 'resources: {cpu: "1", memory: 4Gi}'
    steady = container(POOL, OUTSIDE % f", capacity: steady, {asked}")
    assert steady["LinuxParameters"]["SharedMemorySize"] == 2048
    assert "SharedMemorySize" not in container(OUTSIDE % f", {asked}")["LinuxParameters"]
    shared = ", volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 1Gi}}]"
    mounted = f"{shared}, volumeMounts: [{{name: shm, mountPath: /dev/shm}}]"
    own = container(POOL, OUTSIDE % f", capacity: steady, {asked}{mounted}")
    assert "SharedMemorySize" not in own["LinuxParameters"]


@pytest.mark.parametrize(
    ("status", "healthy"), [(200, True), (204, True), (302, True), (404, False), (503, False)]
)
def test_the_check_of_images_built_here(status: int, healthy: bool):
    """It ends well for 2xx and 3xx alone, and asks the path that the spec says, whatever is in it."""
    asked = []

    class Program(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Host"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *words: object):
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Program) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        _, *words = ask_health(server.server_port, "/it's/{up}?a=b")
        done = subprocess.run([sys.executable, *words])
        server.shutdown()
    assert asked == [("/it's/{up}?a=b", f"127.0.0.1:{server.server_port}")]
    assert (done.returncode == 0) == healthy


def test_nobody_there_is_not_healthy():
    """A program that does not listen yet fails the check."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        _, *words = ask_health(taken.getsockname()[1], "/")
        assert subprocess.run([sys.executable, *words], stderr=subprocess.DEVNULL).returncode != 0
