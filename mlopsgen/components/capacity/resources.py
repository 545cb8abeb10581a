"""The instances that EC2 workloads run on: they come with the first task and go with the last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from troposphere import Base64, GetAtt, Ref, autoscaling, ec2, ecs
from troposphere import iam as troposphere_iam

from mlopsgen import iam
from mlopsgen.components.base import Site
from mlopsgen.components.network import EVERYWHERE, join
from mlopsgen.components.registry import logical
from mlopsgen.ecs.task_definition import architecture
from mlopsgen.plan import Grant, Parameter, Part, Resource
from mlopsgen.source.node import Path
from mlopsgen.spec.trainers import TrainerSpec
from mlopsgen.spec.workload import WorkloadSpec

# The public parameters that name the newest ECS-optimised image (Amazon ECS developer guide, "Retrieving
# Amazon ECS-optimized Linux AMI metadata").
_IMAGES = {
    ("x86_64", False): "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
    ("arm64", False): "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
    ("x86_64", True): "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id",
    ("arm64", True): "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/gpu/recommended/image_id",
}

# ECS drains a spot instance that is about to go of the tasks of services, and leaves other tasks to their
# fate (Amazon ECS developer guide, "Draining Amazon ECS container instances"). So the instance itself ends
# the run when its notice comes, two minutes ahead, and the program has time to save.
_WATCH = """\
cat >/usr/local/sbin/watch-spot <<'WATCH'
#!/bin/bash
metadata=http://169.254.169.254/latest
token() {
  curl --silent --fail --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token"
}
until curl --silent --fail --output /dev/null --header "X-aws-ec2-metadata-token: $(token)" \\
  "$metadata/meta-data/spot/instance-action"; do
  sleep 5
done
docker ps --quiet --filter label=com.amazonaws.ecs.container-name=NAME |
  xargs --no-run-if-empty docker stop --time SECONDS
WATCH
chmod 755 /usr/local/sbin/watch-spot
systemd-run --unit=watch-spot --collect /usr/local/sbin/watch-spot
"""

# Seconds of the two minutes; the others are for ECS to hear how the run ended.
_NOTICE = 110


def strategy(site: Site, workload: WorkloadSpec) -> list[ecs.CapacityProviderStrategyItem]:
    """Which capacity its tasks take: Fargate, Fargate Spot, or instances of its own."""
    return [ecs.CapacityProviderStrategyItem(CapacityProvider=provider(site, workload), Weight=1)]


def provider(site: Site, workload: WorkloadSpec) -> str:
    """The name of the capacity provider that runs it."""
    if workload.compute.ec2:
        return site.family(workload.name)
    spot = workload.compute.fargate and workload.compute.fargate.purchase == "spot"
    return "FARGATE_SPOT" if spot else "FARGATE"


def associate(site: Site, workloads: Iterable[WorkloadSpec], *, stack: str, origin: Path) -> Resource:
    """All capacity providers of the cluster `Cluster`: AWS keeps them as one list."""
    own = [Ref(f"{logical(each.name)}Provider") for each in workloads if each.compute.ec2]
    body = ecs.ClusterCapacityProviderAssociations(
        "CapacityProviders",
        Cluster=Ref("Cluster"),
        CapacityProviders=[
            "FARGATE",
            "FARGATE_SPOT",
            *own,
        ],
        DefaultCapacityProviderStrategy=[ecs.CapacityProviderStrategy(CapacityProvider="FARGATE", Weight=1)],
    )
    return Resource(stack, "CapacityProviders", body, origin)


def capacity(site: Site, workload: WorkloadSpec, *, stack: str, cluster: str, origin: Path) -> Iterator[Part]:
    """Launch template, Auto Scaling group and capacity provider of `workload`; nothing if it has no `ec2`."""
    spec = workload.compute.ec2
    if not spec:
        return
    name, origin = logical(workload.name), (*origin, "compute", "ec2")
    network = join(site, stack)
    yield from network.parameters
    gpu = workload.resources.gpu > 0
    image = Parameter(
        stack,
        f"{name}ImageId",
        "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
        f"The newest ECS-optimised image for {workload.name}",
        default=_IMAGES[architecture(workload), gpu],
    )
    yield image
    yield _security_group(name, workload, network.vpc_id, stack, origin)
    yield from _role(site, name, workload, stack, cluster, origin)
    yield _launch_template(name, workload, image, stack, cluster, origin)
    group = autoscaling.AutoScalingGroup(
        f"{name}AutoScalingGroup",
        MinSize=str(spec.min_instances),
        MaxSize=str(spec.max_instances),
        VPCZoneIdentifier=network.private_subnets,
        # ECS protects instances that run tasks, and takes the protection away when they are empty.
        NewInstancesProtectedFromScaleIn=True,
        **_purchase(name, workload),
    )
    yield Resource(stack, f"{name}AutoScalingGroup", group, origin)
    body = ecs.CapacityProvider(
        f"{name}Provider",
        Name=site.family(workload.name),
        AutoScalingGroupProvider=ecs.AutoScalingGroupProvider(
            AutoScalingGroupArn=Ref(f"{name}AutoScalingGroup"),
            ManagedDraining="ENABLED",
            ManagedScaling=ecs.ManagedScaling(
                Status="ENABLED", TargetCapacity=100, MinimumScalingStepSize=1, MaximumScalingStepSize=10
            ),
            ManagedTerminationProtection="ENABLED",
        ),
    )
    yield Resource(stack, f"{name}Provider", body, origin)


def _purchase(name: str, workload: WorkloadSpec) -> dict[str, Any]:
    spec = workload.compute.ec2
    assert spec is not None
    template = {
        "LaunchTemplateId": Ref(f"{name}LaunchTemplate"),
        "Version": GetAtt(f"{name}LaunchTemplate", "LatestVersionNumber"),
    }
    if spec.purchase == "on-demand":
        return {"LaunchTemplate": autoscaling.LaunchTemplateSpecification(**template)}
    return {
        # A replacement that comes early helps a service; it would end a run before its time.
        "CapacityRebalance": not isinstance(workload, TrainerSpec),
        "MixedInstancesPolicy": autoscaling.MixedInstancesPolicy(
            InstancesDistribution=autoscaling.InstancesDistribution(
                OnDemandBaseCapacity=0,
                OnDemandPercentageAboveBaseCapacity=0,
                SpotAllocationStrategy="price-capacity-optimized",
            ),
            LaunchTemplate=autoscaling.LaunchTemplate(
                LaunchTemplateSpecification=autoscaling.LaunchTemplateSpecification(**template),
                Overrides=[autoscaling.LaunchTemplateOverrides(InstanceType=spec.instance_type)],
            ),
        ),
    }


def _security_group(name: str, workload: WorkloadSpec, vpc_id: Any, stack: str, origin: Path) -> Resource:
    """Instances call AWS and are called by nobody; tasks have network interfaces of their own."""
    body = ec2.SecurityGroup(
        f"{name}InstanceSecurityGroup",
        VpcId=vpc_id,
        GroupDescription=f"Instances of {workload.name}: no way in",
        SecurityGroupEgress=[
            ec2.SecurityGroupRule(
                IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp=EVERYWHERE, Description="HTTPS to AWS"
            )
        ],
    )
    return Resource(stack, f"{name}InstanceSecurityGroup", body, origin)


def _role(
    site: Site, name: str, workload: WorkloadSpec, stack: str, cluster: str, origin: Path
) -> Iterator[Part]:
    """What the ECS agent on the instance does; tasks have roles of their own.

    The actions are those that the agent is documented to need (Amazon ECS developer guide, "Amazon ECS
    container instance IAM role"), without pulling images: that is the execution role's.
    """
    in_cluster = (("ArnEquals", "ecs:cluster", iam.arn("ecs", f"cluster/{cluster}")),)
    instances = iam.arn("ecs", f"container-instance/{cluster}/*")
    yield from iam.role(
        site,
        stack=stack,
        logical_id=f"{name}InstanceRole",
        name=f"{workload.name}: the ECS agent on its instances",
        kind="service",
        trust=iam.trust_service("ec2.amazonaws.com", site),
        grants=(
            Grant(
                ("ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance"),
                (iam.arn("ecs", f"cluster/{cluster}"),),
                "join the cluster",
            ),
            Grant(
                (
                    "ecs:Poll",
                    "ecs:StartTelemetrySession",
                    "ecs:SubmitAttachmentStateChanges",
                    "ecs:SubmitContainerStateChange",
                    "ecs:SubmitTaskStateChange",
                    "ecs:UpdateContainerInstancesState",
                ),
                (instances, iam.arn("ecs", f"cluster/{cluster}"), iam.arn("ecs", f"task/{cluster}/*")),
                "report to the cluster",
                in_cluster,
            ),
            Grant(
                ("ecs:DiscoverPollEndpoint",),
                ("*",),
                "find the cluster's endpoint",
                reason="the endpoint is looked up before the instance belongs to anything",
            ),
        ),
        description=f"The ECS agent on the instances of {workload.name}",
        origin=origin,
    )
    profile = troposphere_iam.InstanceProfile(
        f"{name}InstanceProfile", Path=site.role_path, Roles=[Ref(f"{name}InstanceRole")]
    )
    yield Resource(stack, f"{name}InstanceProfile", profile, origin)


def _launch_template(
    name: str, workload: WorkloadSpec, image: Parameter, stack: str, cluster: str, origin: Path
) -> Resource:
    spec = workload.compute.ec2
    assert spec is not None
    volume = ec2.EBSBlockDevice(
        VolumeSize=spec.volume_size // 1024, VolumeType="gp3", Encrypted=True, DeleteOnTermination=True
    )
    body = ec2.LaunchTemplate(
        f"{name}LaunchTemplate",
        LaunchTemplateData=ec2.LaunchTemplateData(
            ImageId=Ref(image.name),
            InstanceType=spec.instance_type,
            IamInstanceProfile=ec2.IamInstanceProfile(Arn=GetAtt(f"{name}InstanceProfile", "Arn")),
            SecurityGroupIds=[Ref(f"{name}InstanceSecurityGroup")],
            # One hop keeps containers from the instance's own credentials.
            MetadataOptions=ec2.MetadataOptions(
                HttpTokens="required", HttpPutResponseHopLimit=1, InstanceMetadataTags="disabled"
            ),
            Monitoring=ec2.Monitoring(Enabled=True),
            BlockDeviceMappings=[ec2.LaunchTemplateBlockDeviceMapping(DeviceName="/dev/xvda", Ebs=volume)],
            UserData=Base64(_user_data(workload, cluster)),
        ),
    )
    return Resource(stack, f"{name}LaunchTemplate", body, origin)


def _user_data(workload: WorkloadSpec, cluster: str) -> str:
    """Settings of the ECS agent (Amazon ECS developer guide, "Amazon ECS container agent configuration")."""
    settings = {
        "ECS_AWSVPC_BLOCK_IMDS": "true",
        "ECS_CLUSTER": cluster,
        "ECS_CONTAINER_STOP_TIMEOUT": f"{workload.stop_timeout}s",
        "ECS_ENABLE_SPOT_INSTANCE_DRAINING": "true",
    }
    if workload.resources.gpu:
        settings["ECS_ENABLE_GPU_SUPPORT"] = "true"
    lines = "".join(f"{name}={value}\n" for name, value in sorted(settings.items()))
    watch = ""
    if isinstance(workload, TrainerSpec) and workload.compute.ec2 and workload.compute.ec2.purchase == "spot":
        watch = _WATCH.replace("NAME", workload.name).replace(
            "SECONDS", str(min(workload.stop_timeout, _NOTICE))
        )
    return f"#!/bin/bash\nset -eu\ncat >>/etc/ecs/ecs.config <<'SETTINGS'\n{lines}SETTINGS\n{watch}"
