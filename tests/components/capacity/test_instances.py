"""The environment's cluster, and the instances of a pool: which are started, how paid, and how they end."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan
from tests.policies import may, properties, stack, statements

STACK = "cluster"
CLUSTER = "arn:aws:ecs:ap-southeast-1:123456789012:cluster/demo-default"
IMAGES = "  images: [{name: train}, {name: app}]\n"


def pool(ec2: str) -> str:
    return f"  capacity: [{{name: gpu, ec2: {{{ec2}}}}}]\n"


def job(name: str, more: str = "") -> str:
    return f"    - {{name: {name}, image: train, capacity: gpu{more}}}\n"


def jobs(*lines: str) -> str:
    return "  jobs:\n" + "".join(lines)


SERVICE = "  services: [{name: api, image: app, capacity: gpu, stopTimeout: 60s%s}]\n"


@pytest.fixture(scope="module")
def spot() -> Plan:
    """A pool of spot instances that two jobs and a service share."""
    return plan(
        IMAGES,
        pool("instanceTypes: [g4dn.xlarge], max: 4, spot: {}"),
        jobs(
            job("trainer", ", stopTimeout: 90s, resources: {gpu: 1}"), job("reporter", ", stopTimeout: 30s")
        ),
        SERVICE % "",
    )


def script(plan: Plan) -> str:
    data = properties(plan, STACK, "GpuLaunchTemplate")["LaunchTemplateData"]
    return str(data["UserData"]["Fn::Base64"])


def image(plan: Plan) -> Any:
    """The public parameter that names the machine image."""
    wanted = properties(plan, STACK, "GpuLaunchTemplate")["LaunchTemplateData"]["ImageId"]
    (found,) = (each for each in stack(plan, STACK).parameters if f"ref-{each.name}" == wanted)
    return found.default


def test_all_workloads_of_an_environment_share_one_cluster(spot: Plan):
    clusters = [
        each.logical_id for part in spot.stacks for each in part.resources if each.type == "AWS::ECS::Cluster"
    ]
    assert clusters == ["Cluster"]
    assert properties(spot, STACK, "Cluster")["ClusterName"] == "demo-default"
    assert properties(spot, STACK, "CapacityProviders")["CapacityProviders"] == [
        "FARGATE", "FARGATE_SPOT", "ref-GpuProvider"
    ]  # fmt: skip
    assert {each.cluster for each in spot.tasks} == {"demo-default"}


ON_FARGATE = "  services: [{name: api, image: app, stopTimeout: 60s}]\n"


def test_a_workload_leaves_its_pool_and_comes_back_without_a_change_to_the_cluster():
    """ECS takes no capacity provider away that tasks are on, and the cluster's stack comes before theirs."""
    types = pool("instanceTypes: [g4dn.xlarge], min: 1, max: 2")
    before, after = plan(IMAGES, types, SERVICE % ""), plan(IMAGES, types, ON_FARGATE)
    for name in ("CapacityProviders", "GpuProvider"):
        assert properties(before, STACK, name) == properties(after, STACK, name)
    assert {each.logical_id for each in stack(before, STACK).resources} == {
        each.logical_id for each in stack(after, STACK).resources
    }
    assert image(before) == image(after)


def test_a_pool_that_nobody_uses_costs_nothing():
    types = pool("instanceTypes: [g4dn.xlarge], min: 1, max: 2")
    assert properties(plan(IMAGES, types, ON_FARGATE), STACK, "GpuAutoScalingGroup")["MinSize"] == "0"
    assert properties(plan(IMAGES, types, SERVICE % ""), STACK, "GpuAutoScalingGroup")["MinSize"] == "1"


def test_an_instance_takes_the_longest_time_to_stop_of_its_users(spot: Plan):
    assert "ECS_CONTAINER_STOP_TIMEOUT=90s\n" in script(spot)
    assert "ECS_ENABLE_GPU_SUPPORT=true\n" in script(spot)
    assert "ECS_CLUSTER=demo-default\n" in script(spot)


def test_a_spot_instance_ends_the_runs_of_jobs_when_its_notice_comes(spot: Plan):
    """ECS stops only tasks of services by itself; a run would be cut off without a SIGTERM."""
    assert subprocess.run(["bash", "-n"], input=script(spot), text=True).returncode == 0
    _, watch, _ = re.split(r"<<'WATCH'\n|\nWATCH\n", script(spot))
    assert subprocess.run(["bash", "-n"], input=watch, text=True).returncode == 0
    assert re.findall(r"label=com.amazonaws.ecs.container-name=(\S+)", watch) == ["reporter", "trainer"]
    assert watch.endswith("docker stop --time 90")
    group = properties(spot, STACK, "GpuAutoScalingGroup")
    assert (group["MinSize"], group["MaxSize"], group["CapacityRebalance"]) == ("0", "4", False)


def test_the_watch_stops_what_docker_lists_for_each_job(spot: Plan, tmp_path: Any):
    """The last part of the script, with a docker that lists one container for each name."""
    _, watch, _ = re.split(r"<<'WATCH'\n|\nWATCH\n", script(spot))
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/bash\nif [ "$1" = ps ]; then echo "id-${@: -1}"; else echo "$@" >>"$0.log"; fi\n'
    )
    docker.chmod(0o755)
    tail = watch.partition("done\n")[2]
    subprocess.run(["bash", "-c", f"PATH={tmp_path}:$PATH\n{tail}"], check=True)
    name = "id-label=com.amazonaws.ecs.container-name="
    stopped = (tmp_path / "docker.log").read_text()
    assert stopped == f"stop --time 90 {name}reporter {name}trainer\n"


def test_spot_instances_for_services_alone_are_drained_by_ecs_and_replaced_early():
    served = plan(IMAGES, pool("instanceTypes: [g4dn.xlarge], max: 4, spot: {}"), SERVICE % "")
    assert "watch-spot" not in script(served)
    assert properties(served, STACK, "GpuAutoScalingGroup")["CapacityRebalance"] is True


def test_an_instance_on_demand_watches_nothing():
    steady = plan(IMAGES, pool("instanceTypes: [g4dn.xlarge]"), jobs(job("trainer")))
    assert "watch-spot" not in script(steady)
    group = properties(steady, STACK, "GpuAutoScalingGroup")
    assert "MixedInstancesPolicy" not in group
    assert group["LaunchTemplate"]["LaunchTemplateId"] == "ref-GpuLaunchTemplate"


@pytest.mark.parametrize(
    ("ec2", "expected"),
    [
        (
            "instanceTypes: [g5.xlarge, g4dn.xlarge]",
            {
                "OnDemandAllocationStrategy": "prioritized",
                "OnDemandBaseCapacity": 0,
                "OnDemandPercentageAboveBaseCapacity": 100,
            },
        ),
        (
            "instanceTypes: [g5.xlarge], spot: {}",
            {
                "OnDemandBaseCapacity": 0,
                "OnDemandPercentageAboveBaseCapacity": 0,
                "SpotAllocationStrategy": "price-capacity-optimized",
            },
        ),
        (
            "instanceTypes: [g5.xlarge, g4dn.xlarge], max: 5, spot: {share: 75%, onDemandBase: 1}",
            {
                "OnDemandAllocationStrategy": "prioritized",
                "OnDemandBaseCapacity": 1,
                "OnDemandPercentageAboveBaseCapacity": 25,
                "SpotAllocationStrategy": "capacity-optimized-prioritized",
            },
        ),
    ],
    ids=["several on demand", "all spot", "some of each"],
)
def test_types_are_tried_in_order_of_preference_and_paid_as_the_pool_says(ec2: str, expected: dict[str, Any]):
    mixed = plan(IMAGES, pool(ec2), jobs(job("trainer", ", resources: {gpu: 1}")))
    policy = properties(mixed, STACK, "GpuAutoScalingGroup")["MixedInstancesPolicy"]
    assert policy["InstancesDistribution"] == expected
    types = re.findall(r"g[0-9a-z]+\.xlarge", ec2)
    assert policy["LaunchTemplate"]["Overrides"] == [{"InstanceType": each} for each in types]


@pytest.mark.parametrize(
    ("types", "resources", "path"),
    [
        ("m5.large", "{cpu: 500m}", "amazon-linux-2023/recommended"),
        ("m6g.large", "{cpu: 500m}", "amazon-linux-2023/arm64/recommended"),
        ("a1.large", "{cpu: 500m}", "amazon-linux-2023/arm64/recommended"),
        ("g4dn.xlarge", "{gpu: 1}", "amazon-linux-2023/gpu/recommended"),
        ("g4dn.xlarge", "{cpu: 500m}", "amazon-linux-2023/gpu/recommended"),
        ("g5g.xlarge", "{cpu: 500m}", "amazon-linux-2023/arm64/recommended"),
        ("g4dn.xlarge, m5.large", "{cpu: 500m}", "amazon-linux-2023/recommended"),
    ],
)
def test_the_machine_image_fits_the_processor_and_the_gpus(types: str, resources: str, path: str):
    """The parameter's name says which image it is: a new default of an old name would be ignored."""
    made = plan(IMAGES, pool(f"instanceTypes: [{types}]"), jobs(job("trainer", f", resources: {resources}")))
    assert image(made) == f"/aws/service/ecs/optimized-ami/{path}/image_id"


def test_images_of_two_kinds_are_parameters_of_two_names():
    pools = """\
  capacity:
    - {name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}
    - {name: other, ec2: {instanceTypes: [g5.xlarge]}}
    - {name: plain, ec2: {instanceTypes: [m5.large]}}
"""
    three = plan(
        IMAGES,
        pools,
        jobs(
            job("trainer", ", resources: {gpu: 1}"),
            "    - {name: second, image: train, capacity: other, resources: {gpu: 1}}\n",
            "    - {name: third, image: train, capacity: plain}\n",
        ),
    )
    names = [each.name for each in stack(three, STACK).parameters if each.name.endswith("ImageId")]
    assert sorted(names) == ["EcsGpuImageId", "EcsImageId"]


def test_the_agent_can_join_and_report_to_its_own_cluster_alone(spot: Plan):
    """Joining and reporting know no condition on the cluster: it is their resource."""
    policy = statements(spot, STACK, "GpuInstanceRole")
    other = CLUSTER.replace("demo", "other")
    for action in (
        "ecs:RegisterContainerInstance",
        "ecs:SubmitAttachmentStateChanges",
        "ecs:SubmitContainerStateChange",
        "ecs:SubmitTaskStateChange",
    ):
        assert may(policy, action, CLUSTER)
        assert not may(policy, action, other)
    instance = CLUSTER.replace("cluster/", "container-instance/") + "/1"
    for action in ("ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"):
        assert may(policy, action, instance, {"ecs:cluster": CLUSTER})
        assert not may(policy, action, instance, {"ecs:cluster": other})
    assert may(policy, "ecs:DiscoverPollEndpoint", "*")


def test_groups_are_scaled_by_ecs_and_outlived_by_the_cluster(spot: Plan):
    (group,) = (each for each in stack(spot, STACK).resources if each.logical_id == "GpuAutoScalingGroup")
    assert group.document["DependsOn"] == ["Cluster"]
    tag = {"Key": "AmazonECSManaged", "Value": "true", "PropagateAtLaunch": True}
    assert tag in properties(spot, STACK, "GpuAutoScalingGroup")["Tags"]
    provider = properties(spot, STACK, "GpuProvider")
    assert provider["Name"] == "demo-default-gpu"
    assert provider["AutoScalingGroupProvider"]["ManagedScaling"]["TargetCapacity"] == 100
