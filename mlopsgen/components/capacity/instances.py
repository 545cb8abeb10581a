"""The instances of a pool: they come with the first task and go with the last."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Base64, GetAtt, Ref, autoscaling, ec2, ecs, iam

from mlopsgen.aws.instance_types import has_driven_gpus
from mlopsgen.components.capacity.spec import Ec2Spec
from mlopsgen.components.capacity.user_data import user_data
from mlopsgen.language.values import EVERYWHERE, GIBIBYTE
from mlopsgen.model.plan import Declaration, Grant, Parameter
from mlopsgen.model.site import Pool, Site
from mlopsgen.model.values import Body
from mlopsgen.model.workload import JOB, Workload, pool_architecture
from mlopsgen.parts.network import private_subnets, vpc_id
from mlopsgen.parts.policies import arn
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.roles import Role, declare_role, trust_service

# The public parameters that name the newest ECS-optimised image, by processor and whether there are GPUs
# (Amazon ECS developer guide, "Retrieving Amazon ECS-optimized Linux AMI metadata"; it has none with GPUs for
# arm64). Each has a template parameter of its own: `aws cloudformation deploy` keeps the previous value of a
# parameter whose name stays.
_IMAGES = {
    ("amd64", False): ("EcsImageId", "", "an ECS host"),
    ("arm64", False): ("EcsArm64ImageId", "arm64/", "an ECS host on arm64"),
    ("amd64", True): ("EcsGpuImageId", "gpu/", "an ECS host with GPUs"),
}


def declare_instances(scope: Scope, pool: Pool) -> Iterator[Declaration]:
    """Launch template, Auto Scaling group and capacity provider of a pool."""
    site, spec, name = scope.site, pool.spec.ec2, pool.logical_id
    assert spec is not None
    scope = scope._replace(origin=pool.origin).at("ec2")
    users = workloads_on(site, pool)
    image = _image(scope, pool, users)
    yield image
    yield scope.resource(_security_group(site, pool))
    yield from _role(scope, pool)
    profile = iam.InstanceProfile(
        f"{name}InstanceProfile", Path=site.role_path, Roles=[Ref(f"{name}InstanceRole")]
    )
    yield scope.resource(profile)
    yield scope.resource(_launch_template(site, pool, spec, users, image))
    yield scope.resource(_group(site, pool, spec, users))
    yield scope.resource(_provider(site, pool))


def workloads_on(site: Site, pool: Pool) -> tuple[Workload, ...]:
    """The workloads that run on a pool, by name."""
    return tuple(each for each in site.workloads if each.spec.capacity == pool.name)


def _image(scope: Scope, pool: Pool, users: tuple[Workload, ...]) -> Parameter:
    architecture = pool_architecture(pool.spec) or "amd64"
    name, folder, what = _IMAGES[architecture, _drives_gpus(pool, users)]
    return Parameter(
        scope.stack,
        name,
        "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
        f"The newest image of {what}",
        default=f"/aws/service/ecs/optimized-ami/amazon-linux-2023/{folder}recommended/image_id",
    )


def _drives_gpus(pool: Pool, users: tuple[Workload, ...]) -> bool:
    """Whether the instances start with a driver for GPUs: by their types, so that no workload changes it.

    Instances that run stay as they are when the image changes, and would be full before new ones come. Types
    of which little is known have what their workloads ask for.
    """
    types = pool.spec.ec2.instance_types if pool.spec.ec2 else ()
    return all(map(has_driven_gpus, types)) or any(each.spec.resources.gpu for each in users)


def _security_group(site: Site, pool: Pool) -> ec2.SecurityGroup:
    """Instances call AWS and are called by nobody; tasks have network interfaces of their own."""
    https = ec2.SecurityGroupRule(
        IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp=EVERYWHERE, Description="HTTPS to AWS"
    )
    return ec2.SecurityGroup(
        f"{pool.logical_id}InstanceSecurityGroup",
        VpcId=vpc_id(site),
        GroupDescription=f"Instances of {pool.name}: no way in",
        SecurityGroupEgress=[https],
    )


def _role(scope: Scope, pool: Pool) -> tuple[Declaration, ...]:
    """What the ECS agent on an instance does; tasks have roles of their own.

    The actions are those that the agent is documented to need (Amazon ECS developer guide, "Amazon ECS
    container instance IAM role"), without pulling images: that is the execution role's. Those that register
    and report know no condition on the cluster and are held to it by their resource (service authorization
    reference, "Actions, resources, and condition keys for Amazon Elastic Container Service").
    """
    cluster = arn("ecs", f"cluster/{scope.site.cluster}")
    grants = (
        Grant(
            (
                "ecs:DeregisterContainerInstance",
                "ecs:RegisterContainerInstance",
                "ecs:SubmitAttachmentStateChanges",
                "ecs:SubmitContainerStateChange",
                "ecs:SubmitTaskStateChange",
            ),
            (cluster,),
            "join the cluster",
        ),
        Grant(
            ("ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"),
            (arn("ecs", f"container-instance/{scope.site.cluster}/*"),),
            "report to the cluster",
            (("ArnEquals", "ecs:cluster", cluster),),
        ),
        Grant(
            ("ecs:DiscoverPollEndpoint",),
            ("*",),
            "find the cluster's endpoint",
            reason="the endpoint is looked up before the instance belongs to anything",
        ),
    )
    return declare_role(
        scope,
        Role(
            logical_id=f"{pool.logical_id}InstanceRole",
            name=f"{pool.name}: the ECS agent on its instances",
            kind="service",
            trust=trust_service("ec2.amazonaws.com", scope.site),
            grants=grants,
            description=f"The ECS agent on the instances of {pool.name}",
        ),
    )


def _launch_template(
    site: Site, pool: Pool, spec: Ec2Spec, users: tuple[Workload, ...], image: Parameter
) -> ec2.LaunchTemplate:
    name = pool.logical_id
    volume = ec2.EBSBlockDevice(
        VolumeSize=spec.root_volume.size // GIBIBYTE,
        VolumeType="gp3",
        Encrypted=True,
        DeleteOnTermination=True,
    )
    return ec2.LaunchTemplate(
        f"{name}LaunchTemplate",
        LaunchTemplateData=ec2.LaunchTemplateData(
            ImageId=Ref(image.name),
            InstanceType=spec.instance_types[0],
            IamInstanceProfile=ec2.IamInstanceProfile(Arn=GetAtt(f"{name}InstanceProfile", "Arn")),
            SecurityGroupIds=[Ref(f"{name}InstanceSecurityGroup")],
            # One hop keeps containers from the instance's own credentials.
            MetadataOptions=ec2.MetadataOptions(
                HttpTokens="required", HttpPutResponseHopLimit=1, InstanceMetadataTags="disabled"
            ),
            Monitoring=ec2.Monitoring(Enabled=True),
            BlockDeviceMappings=[ec2.LaunchTemplateBlockDeviceMapping(DeviceName="/dev/xvda", Ebs=volume)],
            UserData=Base64(user_data(site.cluster, spec, users, gpus=_drives_gpus(pool, users))),
        ),
    )


def _group(
    site: Site, pool: Pool, spec: Ec2Spec, users: tuple[Workload, ...]
) -> autoscaling.AutoScalingGroup:
    # The tag by which ECS knows that it may scale the group (Amazon ECS developer guide, "Auto Scaling group
    # capacity providers"). The cluster outlives the group: one with instances in it cannot be deleted.
    return autoscaling.AutoScalingGroup(
        f"{pool.logical_id}AutoScalingGroup",
        DependsOn=["Cluster"],
        # Instances stay for tasks: without one that could come, they would be paid for nothing.
        MinSize=str(spec.min if users else 0),
        MaxSize=str(spec.max),
        VPCZoneIdentifier=private_subnets(site),
        # ECS protects instances that run tasks, and takes the protection away when they are empty.
        NewInstancesProtectedFromScaleIn=True,
        Tags=autoscaling.Tags(AmazonECSManaged=("true", True)),
        **_purchase(pool.logical_id, spec, users),
    )


def _purchase(name: str, spec: Ec2Spec, users: tuple[Workload, ...]) -> dict[str, Body]:
    """Which types are started, and how they are paid for."""
    template = autoscaling.LaunchTemplateSpecification(
        LaunchTemplateId=Ref(f"{name}LaunchTemplate"),
        Version=GetAtt(f"{name}LaunchTemplate", "LatestVersionNumber"),
    )
    several = len(spec.instance_types) > 1
    if not spec.spot and not several:
        return {"LaunchTemplate": template}
    policy = autoscaling.MixedInstancesPolicy(
        InstancesDistribution=_distribution(spec, several),
        LaunchTemplate=autoscaling.LaunchTemplate(
            LaunchTemplateSpecification=template,
            Overrides=[
                autoscaling.LaunchTemplateOverrides(InstanceType=each) for each in spec.instance_types
            ],
        ),
    )
    if not spec.spot:
        return {"MixedInstancesPolicy": policy}
    # A replacement that comes early helps a service; it would end a run before its time.
    return {
        "CapacityRebalance": not any(each.kind is JOB for each in users),
        "MixedInstancesPolicy": policy,
    }


def _distribution(spec: Ec2Spec, several: bool) -> autoscaling.InstancesDistribution:
    """In order of preference; spot looks for capacity first, and for the order among what there is."""
    spot = spec.spot
    distribution = autoscaling.InstancesDistribution(
        OnDemandBaseCapacity=spot.on_demand_base if spot else 0,
        OnDemandPercentageAboveBaseCapacity=round(100 - spot.share) if spot else 100,
    )
    if several:
        distribution.OnDemandAllocationStrategy = "prioritized"
    if spot:
        preferred = "capacity-optimized-prioritized" if several else "price-capacity-optimized"
        distribution.SpotAllocationStrategy = preferred
    return distribution


def _provider(site: Site, pool: Pool) -> ecs.CapacityProvider:
    return ecs.CapacityProvider(
        f"{pool.logical_id}Provider",
        Name=site.family(pool.name),
        AutoScalingGroupProvider=ecs.AutoScalingGroupProvider(
            AutoScalingGroupArn=Ref(f"{pool.logical_id}AutoScalingGroup"),
            ManagedDraining="ENABLED",
            ManagedScaling=ecs.ManagedScaling(
                Status="ENABLED", TargetCapacity=100, MinimumScalingStepSize=1, MaximumScalingStepSize=10
            ),
            ManagedTerminationProtection="ENABLED",
        ),
    )
