"""Each way in which a deployment fails, interrupts or loses something is found when its mend is taken out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from mlopsgen.motion.live import Account
from mlopsgen.motion.outcome import Kind
from mlopsgen.motion.replay import DELIVERY, deploy
from mlopsgen.motion.rule import rules
from mlopsgen.motion.stacks import Delivery, Json, TemplateSet
from tests.motion.small import Resources, moves, published, reads, ref, resource, stacks


@dataclass(frozen=True)
class Case:
    """Two sets, and the rule that finds what is wrong; with `mended` in place of `new`, it does not."""

    rule: str
    kind: Kind
    old: TemplateSet | None
    new: TemplateSet
    mended: TemplateSet | None = None
    delivery: Delivery = DELIVERY
    certain: bool = True
    """Whether it comes true in any account."""
    mended_delivery: Delivery | None = None


def one(**resources: Any) -> TemplateSet:
    """A set of one stack."""
    return stacks(web=dict(resources))


def subnet(cidr: str, zone: str = "eu-west-1a", vpc: Json = "vpc-1") -> dict[str, Any]:
    return resource("EC2::Subnet", VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)


def rule(
    priority: int, path: str = "/a", group: Json = None, listener: Json = "arn:listener"
) -> dict[str, Any]:
    return resource(
        "ElasticLoadBalancingV2::ListenerRule",
        ListenerArn=listener,
        Priority=priority,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group or ref("Group")}],
    )


def weighted(priority: int, blue: Json, green: Json) -> dict[str, Any]:
    """A rule that sends to two groups."""
    own = rule(priority)
    groups: Json = [
        {"TargetGroupArn": ref("Blue"), "Weight": blue},
        {"TargetGroupArn": ref("Green"), "Weight": green},
    ]
    own["Properties"]["Actions"] = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    return own


def scaled(**watches: Json) -> TemplateSet:
    """A service that shifts between two groups, and what its scaling watches."""
    both: Json = {
        "TargetGroupArn": ref("Blue"),
        "AdvancedConfiguration": {"AlternateTargetGroupArn": ref("Green")},
    }
    return one(
        Blue=group(),
        Green=group(),
        Rule=rule(1, group=ref("Blue")),
        Service=service(_DependsOn="Rule", LoadBalancers=[both]),
        Target=resource(
            "ApplicationAutoScaling::ScalableTarget",
            ResourceId="service/shop-prod/api",
            ScalableDimension="ecs:service:DesiredCount",
            ServiceNamespace="ecs",
            _DependsOn="Service",
        ),
        Policy=resource(
            "ApplicationAutoScaling::ScalingPolicy",
            PolicyName="requests",
            PolicyType="TargetTrackingScaling",
            ScalingTargetId=ref("Target"),
            TargetTrackingScalingPolicyConfiguration={**watches},
        ),
    )


def group(**more: Json) -> dict[str, Any]:
    return resource(
        "ElasticLoadBalancingV2::TargetGroup", **{"Port": 80, "Protocol": "HTTP", "VpcId": "vpc-1", **more}
    )


def service(name: str = "api", group: Json = None, **more: Any) -> dict[str, Any]:
    own: dict[str, Any] = {"ServiceName": name, "Cluster": "shop-prod", "TaskDefinition": "api:1"}
    if group:
        own["LoadBalancers"] = [{"ContainerName": "api", "ContainerPort": 80, "TargetGroupArn": group}]
    return resource("ECS::Service", **{**own, **more})


def shifting(bake: int = 10, **more: Json) -> dict[str, Json]:
    return {"Strategy": "BLUE_GREEN", "BakeTimeInMinutes": bake, **more}


def answering(priority: int = 1, path: str = "/a", **more: Any) -> Resources:
    """A service behind a rule of its own."""
    return {
        "Group": group(),
        "Rule": rule(priority, path),
        "Service": service(group=ref("Group"), _DependsOn="Rule", **more),
    }


def balancer(**more: Json) -> dict[str, Any]:
    return resource("ElasticLoadBalancingV2::LoadBalancer", **{"Scheme": "internal", **more})


def listener(balancer: str, port: int = 80) -> dict[str, Any]:
    return resource(
        "ElasticLoadBalancingV2::Listener", LoadBalancerArn=ref(balancer), Port=port, Protocol="HTTP"
    )


def providers(*names: Json) -> dict[str, Any]:
    return resource(
        "ECS::ClusterCapacityProviderAssociations", Cluster="shop-prod", CapacityProviders=[*names]
    )


def bucket(**more: Any) -> dict[str, Any]:
    return resource("S3::Bucket", BucketName="shop-data", **more)


def pool(instances: int, gpus: int, variable: str = "one") -> TemplateSet:
    """A service of up to three tasks on instances with one GPU each."""
    asked: Json = [{"Type": "GPU", "Value": str(gpus)}]
    container: Json = {"Name": "a", "Image": "a:1", "Command": [variable], "ResourceRequirements": asked}
    return one(
        Template=template("ami-1", "g4dn.xlarge"),
        Group=resource(
            "AutoScaling::AutoScalingGroup",
            MaxSize=str(instances),
            LaunchTemplate={"LaunchTemplateId": ref("Template")},
        ),
        Pool=resource(
            "ECS::CapacityProvider",
            Name="gpu",
            AutoScalingGroupProvider={"AutoScalingGroupArn": ref("Group")},
        ),
        Task=resource("ECS::TaskDefinition", Family="a", ContainerDefinitions=[container]),
        Service=service(
            TaskDefinition=ref("Task"),
            CapacityProviderStrategy=[{"CapacityProvider": ref("Pool")}],
            DeploymentConfiguration={"MinimumHealthyPercent": 100},
        ),
        Target=resource(
            "ApplicationAutoScaling::ScalableTarget",
            ResourceId="service/shop-prod/api",
            ScalableDimension="ecs:service:DesiredCount",
            ServiceNamespace="ecs",
            MaxCapacity=3,
            _DependsOn="Service",
        ),
    )


def kept_logs(days: int) -> dict[str, Any]:
    return resource("Logs::LogGroup", LogGroupName="/shop/api", RetentionInDays=days, **KEPT)


def deployed_by(*actions: str) -> TemplateSet:
    """A queue, and a role for CloudFormation."""
    trust = trusting("cloudformation.amazonaws.com")
    deployer = role(allow([*actions]), AssumeRolePolicyDocument=trust)
    return stacks(access={"Role": deployer}, web={"Queue": resource("SQS::Queue", QueueName="work")})


def kms(key: str) -> Json:
    default: Json = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    return {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": default}]}


def role(*statements: Json, **more: Any) -> dict[str, Any]:
    document: Json = {"Version": "2012-10-17", "Statement": [*statements]}
    trust: Json = {"Statement": []}
    policies: Json = [{"PolicyName": "own", "PolicyDocument": document}]
    return resource("IAM::Role", **{"AssumeRolePolicyDocument": trust, "Policies": policies, **more})


def allow(actions: Json, **condition: Json) -> dict[str, Json]:
    found: dict[str, Json] = {"Effect": "Allow", "Action": actions, "Resource": "arn:aws:s3:::shop-data/*"}
    return found | ({"Condition": {**condition}} if condition else {})


def trusting(*principals: str, condition: Json = None) -> Json:
    found: dict[str, Json] = {
        "Effect": "Allow",
        "Principal": {"Service": [*principals]},
        "Action": "kms:Decrypt",
    }
    return {"Statement": [found | ({"Condition": condition} if condition else {})]}


def template(image: str, kind: str) -> dict[str, Any]:
    return resource("EC2::LaunchTemplate", LaunchTemplateData={"ImageId": image, "InstanceType": kind})


def task(*environment: Json, image: str = "app:1", **more: Any) -> dict[str, Any]:
    container: Json = {"Name": "api", "Image": image, "Environment": [*environment]}
    return resource("ECS::TaskDefinition", Family="api", ContainerDefinitions=[container], **more)


def repository(keep: int, **more: Any) -> dict[str, Any]:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep}
    text = json.dumps({"rules": [{"selection": selection}]})
    return resource(
        "ECR::Repository", RepositoryName="shop/api", LifecyclePolicy={"LifecyclePolicyText": text}, **more
    )


SOURCE = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
MODEL: Json = {"Name": "MODEL_URI", "Value": "s3://shop/models/x/"}
KEPT = {"_DeletionPolicy": "Retain"}
STEPPED: dict[str, Json] = {"StepPercent": 10, "StepBakeTimeInMinutes": 300}
AMI = "/aws/service/ecs/optimized-ami/amazon-linux-2023"
NETWORK: Resources = {
    "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
    "Gateway": resource("EC2::InternetGateway"),
    "Attachment": resource("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")),
    "Public": subnet("10.0.0.0/24", vpc=ref("Vpc")),
    "Nat": resource("EC2::NatGateway", AllocationId="eipalloc-1", SubnetId=ref("Public")),
}


def network(cidr: str) -> TemplateSet:
    own = NETWORK | {"Vpc": resource("EC2::VPC", CidrBlock=f"{cidr}.0.0/16")}
    return one(**own | {"Public": subnet(f"{cidr}.0.0/24", vpc=ref("Vpc"))})


def shared(shared: Resources, user: Resources, **parameters: dict[str, Json]) -> TemplateSet:
    """A shared stack and one that reads from it."""
    return stacks({"user": dict(parameters)}, shared=shared, user=user)


GROUPS = {"Tasks": resource("EC2::SecurityGroup", GroupDescription="tasks", VpcId="vpc-1")}
BALANCERS: Resources = {
    "Old": balancer(),
    "OldListener": listener("Old"),
    "OldArn": published("/shop/old", ref("OldListener")),
}
NEW_BALANCER: Resources = {
    "New": balancer(Scheme="internet-facing"),
    "NewListener": listener("New"),
    "NewArn": published("/shop/new", ref("NewListener")),
}
OLD, NEW = reads("String", "/shop/old"), reads("String", "/shop/new")
BEHIND_OLD: Resources = {"Group": group(), "Rule": rule(1, listener=ref("Listener"))}
BEHIND_NEW: Resources = {
    "NewGroup": group(),
    "Rule": rule(1, listener=ref("Listener"), group=ref("NewGroup")),
}

CASES = {
    "N1: the default of an SSM parameter is ignored": Case(
        "parameter-default-ignored",
        "silent",
        shared(BALANCERS | NEW_BALANCER, BEHIND_OLD, Listener=OLD),
        shared(BALANCERS | NEW_BALANCER, BEHIND_NEW, Listener=NEW),
        delivery=Delivery(passes_parameters=False),
        mended=shared(BALANCERS | NEW_BALANCER, BEHIND_NEW, Listener=NEW),
        mended_delivery=Delivery(),
    ),
    "N1a: and what it reads is gone": Case(
        "ssm-path-gone",
        "fails",
        shared(BALANCERS, BEHIND_OLD, Listener=OLD),
        shared(NEW_BALANCER, BEHIND_NEW, Listener=NEW),
        delivery=Delivery(passes_parameters=False),
        mended=shared(NEW_BALANCER, BEHIND_NEW, Listener=NEW),
        mended_delivery=Delivery(),
    ),
    "N1b: a GPU type with an image without drivers": Case(
        "image-does-not-fit",
        "silent",
        stacks(
            {"web": {"Image": reads("AWS::EC2::Image::Id", f"{AMI}/recommended/image_id")}},
            web={"Template": resource("EC2::LaunchTemplate", LaunchTemplateData={"ImageId": ref("Image")})},
        ),
        stacks(
            {"web": {"Image": reads("AWS::EC2::Image::Id", f"{AMI}/gpu/recommended/image_id")}},
            web={
                "Template": resource(
                    "EC2::LaunchTemplate",
                    LaunchTemplateData={"ImageId": ref("Image"), "InstanceType": "g4dn.xlarge"},
                )
            },
        ),
        delivery=Delivery(passes_parameters=False),
        mended=one(Template=template(f"${{ssm:{AMI}/gpu/recommended/image_id}}", "g4dn.xlarge")),
    ),
    "N1c: an arm64 type with an x86_64 image": Case(
        "image-does-not-fit",
        "silent",
        None,
        one(Template=template(f"${{ssm:{AMI}/recommended/image_id}}", "c7g.xlarge")),
        one(Template=template(f"${{ssm:{AMI}/arm64/recommended/image_id}}", "c7g.xlarge")),
    ),
    "E9: an image for GPUs on arm64": Case(
        "image-does-not-exist",
        "fails",
        None,
        one(Template=template(f"${{ssm:{AMI}/arm64/gpu/recommended/image_id}}", "g5g.xlarge")),
        one(Template=template(f"${{ssm:{AMI}/gpu/recommended/image_id}}", "g5.xlarge")),
    ),
    "N2, C4: the key is taken from who reads": Case(
        "objects-unreadable",
        "loses",
        one(
            Data=bucket(BucketEncryption=kms("key-1")), Task=role(allow("s3:GetObject"), allow("kms:Decrypt"))
        ),
        one(Data=bucket(BucketEncryption=kms("")), Task=role(allow("s3:GetObject"))),
        one(Data=bucket(BucketEncryption=kms("")), Task=role(allow("s3:GetObject"), allow("kms:Decrypt"))),
    ),
    "N3: a subnet goes before who is in it": Case(
        "subnet-in-use",
        "left-over",
        shared(
            {
                "A": subnet("10.0.0.0/24"),
                "B": subnet("10.0.1.0/24"),
                "Ids": published("/shop/ids", {"Fn::Join": [",", [ref("A"), ref("B")]]}),
            },
            {"Balancer": balancer(Subnets=ref("Ids"))},
            Ids=reads("List<AWS::EC2::Subnet::Id>", "/shop/ids"),
        ),
        shared(
            {"A": subnet("10.0.0.0/24"), "Ids": published("/shop/ids", ref("A"))},
            {"Balancer": balancer(Subnets=ref("Ids"))},
            Ids=reads("List<AWS::EC2::Subnet::Id>", "/shop/ids"),
        ),
        shared(
            {"A": subnet("10.0.0.0/24"), "B": subnet("10.0.1.0/24"), "Ids": published("/shop/ids", ref("A"))},
            {"Balancer": balancer(Subnets=ref("Ids"))},
            Ids=reads("List<AWS::EC2::Subnet::Id>", "/shop/ids"),
        ),
    ),
    "N3: and its routes with it": Case(
        "no-route",
        "interrupts",
        shared(
            {
                "A": subnet("10.0.0.0/24"),
                "Way": resource("EC2::SubnetRouteTableAssociation", SubnetId=ref("A"), RouteTableId="rtb-1"),
                "Id": published("/shop/id", ref("A")),
            },
            {"Balancer": balancer(Subnets=[ref("Id")])},
            Id=reads("String", "/shop/id"),
        ),
        shared(
            {"A": subnet("10.0.0.0/24"), "Id": published("/shop/id", ref("A"))},
            {"Balancer": balancer(Subnets=[ref("Id")])},
            Id=reads("String", "/shop/id"),
        ),
    ),
    "N4, C3: the network's range": Case(
        "gateway-in-use", "fails", network("10.0"), network("10.1"), network("10.0")
    ),
    "N4: the gateway's address": Case(
        "address-in-use", "fails", network("10.0"), network("10.1"), network("10.0")
    ),
    "N5: a renamed service takes over too early": Case(
        "takes-over-too-early",
        "interrupts",
        stacks(b=answering(20)),
        stacks(a=answering(10), b=answering(20)),
        stacks(a=answering(30), b=answering(20)),
    ),
    "N6: two services swap their paths": Case(
        "nobody-answers-between",
        "interrupts",
        stacks(a=answering(1, "/a"), b=answering(2, "/b")),
        stacks(a=answering(1, "/b"), b=answering(2, "/a")),
        stacks(a=answering(1, "/a"), b=answering(2, "/b")),
    ),
    "N8: the revision before is deregistered": Case(
        "revision-deregistered",
        "loses",
        one(Task=task()),
        one(Task=task(image="app:2")),
        one(Task=task()),
    ),
    "A1: the agent may not report": Case(
        "condition-never-holds",
        "silent",
        None,
        one(Instance=role(allow(["ecs:SubmitTaskStateChange"], ArnEquals={"ecs:cluster": "arn:cluster"}))),
        one(
            Instance=role(
                allow(["ecs:Poll"], ArnEquals={"ecs:cluster": "arn:cluster"}),
                allow(["ecs:SubmitTaskStateChange"]),
            )
        ),
    ),
    "A2: the first deployment of a service with a model": Case(
        "model-missing",
        "fails",
        None,
        one(Task=task(MODEL), Service=service(TaskDefinition=ref("Task"))),
        one(Task=task(), Service=service(TaskDefinition=ref("Task"))),
        certain=False,
    ),
    "A3: the pool leaves the cluster before the service leaves the pool": Case(
        "provider-in-use",
        "fails",
        stacks(
            cluster={"All": providers("FARGATE", "pool")},
            web={"Service": service(CapacityProviderStrategy=[{"CapacityProvider": "pool"}])},
        ),
        stacks(
            cluster={"All": providers("FARGATE")},
            web={"Service": service(CapacityProviderStrategy=[{"CapacityProvider": "FARGATE"}])},
        ),
        stacks(
            cluster={"All": providers("FARGATE", "pool")},
            web={"Service": service(CapacityProviderStrategy=[{"CapacityProvider": "FARGATE"}])},
        ),
    ),
    "a stack's policy keeps its subnets": Case(
        "stack-policy",
        "fails",
        one(Subnet=subnet("10.0.0.0/24"), Bucket=bucket()),
        one(Bucket=bucket()),
        delivery=Delivery(guards=frozenset({"AWS::EC2::Subnet"})),
        mended_delivery=DELIVERY,
        mended=one(Bucket=bucket()),
    ),
    "A3: the instances of a pool are protected": Case(
        "group-does-not-go",
        "left-over",
        one(
            Pool=resource("AutoScaling::AutoScalingGroup", NewInstancesProtectedFromScaleIn=True),
            Bucket=bucket(),
        ),
        one(Bucket=bucket()),
        certain=False,
    ),
    "A3, C1: a list that is only left out": Case(
        "list-left-out",
        "silent",
        one(Service=service(PlacementStrategies=[{"Type": "spread"}])),
        one(Service=service()),
        one(Service=service(PlacementStrategies=[])),
    ),
    "A4: the old task goes first": Case(
        "stops-before-it-starts",
        "interrupts",
        one(Service=service(DeploymentConfiguration={"MinimumHealthyPercent": 0})),
        one(Service=service(DeploymentConfiguration={"MinimumHealthyPercent": 0}, TaskDefinition="api:2")),
        one(Service=service(DeploymentConfiguration={"MinimumHealthyPercent": 100}, TaskDefinition="api:2")),
    ),
    "A4: a full pool, where nothing may stop": Case(
        "no-room", "fails", pool(3, 1), pool(3, 1, "two"), pool(4, 1, "two"), certain=False
    ),
    "B1: weights of a rule": Case(
        "weights-reset",
        "interrupts",
        one(Blue=group(), Green=group(), Rule=weighted(1, 100, 0)),
        one(Blue=group(), Green=group(), Rule=weighted(2, 100, 0)),
        one(Blue=group(), Green=group(), Rule=weighted(2, "${given:Blue}", "${given:Green}")),
        certain=False,
    ),
    "B2: scaling sees one group of two": Case(
        "scaling-watches-one-group",
        "silent",
        None,
        scaled(ResourceLabel=ref("Blue")),
        scaled(Metrics=[ref("Blue"), ref("Green")]),
    ),
    "B3a, D6: longer than the delivery waits": Case(
        "outlasts-the-delivery",
        "fails",
        one(Service=service(DeploymentConfiguration=shifting(65))),
        one(Service=service(DeploymentConfiguration=shifting(65), TaskDefinition="api:2")),
        one(Service=service(DeploymentConfiguration=shifting(30), TaskDefinition="api:2")),
        delivery=Delivery(waits_minutes=60),
        mended_delivery=Delivery(waits_minutes=60),
    ),
    "B3b: more than 33 hours": Case(
        "bakes-too-long",
        "fails",
        None,
        one(Service=service(DeploymentConfiguration={"Strategy": "LINEAR", "LinearConfiguration": STEPPED})),
        one(
            Service=service(
                DeploymentConfiguration={
                    "Strategy": "LINEAR",
                    "LinearConfiguration": STEPPED | {"StepBakeTimeInMinutes": 5},
                }
            )
        ),
    ),
    "B3c: no circuit breaker while traffic shifts": Case(
        "no-circuit-breaker",
        "silent",
        None,
        one(
            Service=service(
                DeploymentConfiguration=shifting(DeploymentCircuitBreaker={"Enable": True, "Rollback": True})
            )
        ),
        one(
            Service=service(
                DeploymentConfiguration={
                    "Strategy": "ROLLING",
                    "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
                }
            )
        ),
    ),
    "B4: a trust that ECS may not meet": Case(
        "trust-never-holds",
        "silent",
        None,
        one(Role=role(AssumeRolePolicyDocument=trusting("ecs.amazonaws.com", condition=SOURCE))),
        one(Role=role(AssumeRolePolicyDocument=trusting("ecs.amazonaws.com"))),
        certain=False,
    ),
    "B: CloudFormation's role may not make what there is": Case(
        "deployer-lacks-right",
        "fails",
        None,
        deployed_by("sqs:CreateQueue", "sqs:GetQueueAttributes"),
        deployed_by("sqs:*"),
        certain=False,
    ),
    "C2: a priority that another stack still has": Case(
        "priority-in-use",
        "fails",
        stacks(b=answering(1)),
        stacks(a=answering(1, "/other"), b=answering(2)),
        stacks(a=answering(3, "/other"), b=answering(2)),
    ),
    "C3: a target group of two load balancers": Case(
        "group-of-two-balancers",
        "fails",
        shared(BALANCERS | NEW_BALANCER, BEHIND_OLD, Listener=OLD),
        shared(BALANCERS | NEW_BALANCER, BEHIND_OLD, Listener=NEW),
        shared(BALANCERS | NEW_BALANCER, BEHIND_NEW, Listener=NEW),
    ),
    "C3: the load balancer goes first": Case(
        "rules-go-with-listener",
        "interrupts",
        shared(BALANCERS, BEHIND_OLD, Listener=OLD),
        shared(NEW_BALANCER, BEHIND_NEW, Listener=NEW),
        shared(BALANCERS | NEW_BALANCER, BEHIND_NEW, Listener=NEW),
    ),
    "C3: its address": Case(
        "address-of-balancer-goes",
        "interrupts",
        one(Old=balancer(), Bucket=bucket()),
        one(Bucket=bucket()),
        one(Old=balancer(), Bucket=bucket()),
    ),
    "C3, C2: its security group": Case(
        "group-referenced",
        "left-over",
        shared(
            GROUPS | {"Id": published("/shop/group", ref("Tasks"))},
            {
                "In": resource(
                    "EC2::SecurityGroupIngress",
                    GroupId="sg-1",
                    IpProtocol="tcp",
                    SourceSecurityGroupId=ref("Group"),
                )
            },
            Group=reads("String", "/shop/group"),
        ),
        shared({"Bucket": bucket()}, {"Bucket": resource("S3::Bucket", BucketName="other")}),
        shared(
            GROUPS | {"Id": published("/shop/group", ref("Tasks"))},
            {"Bucket": resource("S3::Bucket", BucketName="other")},
        ),
    ),
    "C4: a target group is replaced for its port": Case(
        "nobody-in-the-group",
        "interrupts",
        one(**answering()),
        one(**answering() | {"Group": group(Port=8080)}),
        one(
            **answering()
            | {"Service": service(group=ref("Group"), _DependsOn="Rule", TaskDefinition="api:2")}
        ),
    ),
    "C4: running tasks are asked at the new path": Case(
        "asked-at-the-new-path",
        "interrupts",
        one(Group=group(HealthCheckPath="/ready")),
        one(Group=group(HealthCheckPath="/health")),
        one(Group=group(HealthCheckPath="/ready")),
        certain=False,
    ),
    "C5: a kept name blocks the way back": Case(
        "name-taken",
        "fails",
        stacks(
            web={"Logs": resource("Logs::LogGroup", LogGroupName="/shop/api")},
            old={"Logs": resource("Logs::LogGroup", LogGroupName="/shop/web")},
        ),
        stacks(web={"Logs": resource("Logs::LogGroup", LogGroupName="/shop/web")}),
        stacks(web={"Logs": resource("Logs::LogGroup", LogGroupName="/shop/new")}),
    ),
    "C2: a stack that nobody deploys any more": Case(
        "orphan-stack",
        "left-over",
        stacks(a=answering(1), b=answering(2, "/b")),
        stacks(a=answering(1)),
        stacks(a=answering(1)),
        mended_delivery=Delivery(prunes="first"),
    ),
    "D1: the topic's policy asks EventBridge": Case(
        "events-cannot-publish",
        "silent",
        None,
        one(
            Policy=resource(
                "SNS::TopicPolicy",
                Topics=["arn:topic"],
                PolicyDocument=trusting("events.amazonaws.com", condition=SOURCE),
            )
        ),
        one(
            Policy=resource(
                "SNS::TopicPolicy", Topics=["arn:topic"], PolicyDocument=trusting("events.amazonaws.com")
            )
        ),
    ),
    "D1: the key's policy asks EventBridge": Case(
        "events-cannot-encrypt",
        "silent",
        None,
        one(Key=resource("KMS::Key", KeyPolicy=trusting("events.amazonaws.com", condition=SOURCE))),
        one(
            Key=resource(
                "KMS::Key",
                KeyPolicy=trusting(
                    "events.amazonaws.com",
                    condition={"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": "arn"}},
                ),
            )
        ),
    ),
    "D7: a subnet too small for a load balancer": Case(
        "subnet-too-small",
        "fails",
        None,
        one(A=subnet("10.0.0.0/28"), Balancer=balancer(Subnets=[ref("A")])),
        one(A=subnet("10.0.0.0/27"), Balancer=balancer(Subnets=[ref("A")])),
    ),
    "E4: an alarm rings before there is anything": Case(
        "rings-for-nothing",
        "silent",
        None,
        one(
            Alarm=resource(
                "CloudWatch::Alarm", TreatMissingData="breaching", Period=3600, EvaluationPeriods=168
            )
        ),
        one(
            Alarm=resource(
                "CloudWatch::Alarm", TreatMissingData="notBreaching", Period=3600, EvaluationPeriods=168
            )
        ),
        certain=False,
    ),
    "G: a repository that keeps one image": Case(
        "images-expire-sooner", "loses", None, one(Images=repository(1)), one(Images=repository(10))
    ),
    "G: people confirm": Case(
        "waits-for-confirmation",
        "silent",
        None,
        one(
            Mail=resource(
                "SNS::Subscription", TopicArn="arn:topic", Protocol="email", Endpoint="a@example.com"
            )
        ),
        one(
            Mail=resource(
                "SNS::Subscription", TopicArn="arn:topic", Protocol="https", Endpoint="https://example.com"
            )
        ),
        certain=False,
    ),
    "G: delivery goes before its boundary": Case(
        "policy-in-use",
        "fails",
        stacks(
            access={"Boundary": resource("IAM::ManagedPolicy", ManagedPolicyName="bound", PolicyDocument={})},
            web={"Role": role(PermissionsBoundary="arn:aws:iam::123456789012:policy/bound")},
        ),
        stacks(web={"Role": role()}),
        stacks(web={"Role": role()}),
        delivery=Delivery(prunes="first"),
        mended_delivery=Delivery(prunes="around"),
    ),
    "a resource of another type": Case(
        "type-change", "fails", one(Thing=bucket()), one(Thing=group()), one(Other=group())
    ),
    "a key of another kind": Case(
        "update-refused",
        "fails",
        one(Key=resource("KMS::Key", KeySpec="SYMMETRIC_DEFAULT")),
        one(Key=resource("KMS::Key", KeySpec="RSA_2048")),
        one(Key=resource("KMS::Key", KeySpec="SYMMETRIC_DEFAULT", EnableKeyRotation=True)),
    ),
    "a provider whose group is replaced": Case(
        "name-taken",
        "fails",
        one(
            Pool=resource(
                "ECS::CapacityProvider", Name="gpu", AutoScalingGroupProvider={"AutoScalingGroupArn": "one"}
            )
        ),
        one(
            Pool=resource(
                "ECS::CapacityProvider", Name="gpu", AutoScalingGroupProvider={"AutoScalingGroupArn": "two"}
            )
        ),
        one(
            Pool=resource(
                "ECS::CapacityProvider", Name="gpu2", AutoScalingGroupProvider={"AutoScalingGroupArn": "two"}
            )
        ),
    ),
    "what is imported is not as it is written": Case(
        "taken-as-it-is",
        "silent",
        stacks(a={"Bucket": bucket(), "Logs": kept_logs(7)}, b={"Queue": resource("SQS::Queue")}),
        stacks(b={"Queue": resource("SQS::Queue")}, c={"Logs": kept_logs(30)}),
        stacks(b={"Queue": resource("SQS::Queue")}, c={"Logs": kept_logs(7)}),
        delivery=Delivery(prunes="first", imports=True),
    ),
    "logs are deleted": Case(
        "data-deleted",
        "loses",
        one(Logs=resource("Logs::LogGroup", LogGroupName="/shop"), Bucket=bucket()),
        one(Bucket=bucket()),
        one(Bucket=bucket(), Logs=resource("Logs::LogGroup", LogGroupName="/shop")),
    ),
    "a file system is replaced": Case(
        "empty-replacement",
        "loses",
        one(Files=resource("EFS::FileSystem", KmsKeyId="one")),
        one(Files=resource("EFS::FileSystem", KmsKeyId="two")),
        one(Files=resource("EFS::FileSystem", KmsKeyId="one", BackupPolicy={"Status": "ENABLED"})),
    ),
    "a schedule names what is gone": Case(
        "points-to-gone",
        "silent",
        shared(
            {"Task": task(), "Arn": published("/shop/task", ref("Task"))},
            {"Night": resource("Scheduler::Schedule", Target={"Arn": ref("Task")})},
            Task=reads("String", "/shop/task"),
        ),
        stacks(shared={"Task": task(image="app:2"), "Arn": published("/shop/task", ref("Task"))}),
        shared(
            {"Task": task(image="app:2"), "Arn": published("/shop/task", ref("Task"))},
            {"Night": resource("Scheduler::Schedule", Target={"Arn": ref("Task")})},
            Task=reads("String", "/shop/task"),
        ),
    ),
    "two subnets overlap": Case(
        "subnet-overlap",
        "fails",
        one(A=subnet("10.0.0.0/24")),
        one(B=subnet("10.0.0.0/25")),
        one(B=subnet("10.0.1.0/25")),
    ),
    "a rule of a group is made twice": Case(
        "group-rule-exists",
        "fails",
        one(
            A=resource(
                "EC2::SecurityGroupIngress",
                GroupId="sg-1",
                IpProtocol="tcp",
                FromPort=80,
                CidrIp="10.0.0.0/8",
            )
        ),
        one(
            B=resource(
                "EC2::SecurityGroupIngress",
                GroupId="sg-1",
                IpProtocol="tcp",
                FromPort=80,
                CidrIp="10.0.0.0/8",
            )
        ),
        one(
            B=resource(
                "EC2::SecurityGroupIngress",
                GroupId="sg-1",
                IpProtocol="tcp",
                FromPort=81,
                CidrIp="10.0.0.0/8",
            )
        ),
    ),
    "a route is made twice": Case(
        "route-exists",
        "fails",
        one(
            A=resource(
                "EC2::Route", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0", NatGatewayId="nat-1"
            )
        ),
        one(
            B=resource(
                "EC2::Route", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0", NatGatewayId="nat-2"
            )
        ),
        one(
            A=resource(
                "EC2::Route", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0", NatGatewayId="nat-2"
            )
        ),
    ),
    "a flow log is made twice": Case(
        "flow-log-exists",
        "fails",
        one(
            Log=resource(
                "EC2::FlowLog",
                ResourceId="vpc-1",
                ResourceType="VPC",
                TrafficType="ALL",
                LogGroupName="x",
                MaxAggregationInterval=60,
            )
        ),
        one(
            Log=resource(
                "EC2::FlowLog",
                ResourceId="vpc-1",
                ResourceType="VPC",
                TrafficType="ALL",
                LogGroupName="x",
                MaxAggregationInterval=600,
            )
        ),
        one(
            Log=resource(
                "EC2::FlowLog",
                ResourceId="vpc-1",
                ResourceType="VPC",
                TrafficType="REJECT",
                LogGroupName="x",
                MaxAggregationInterval=600,
            )
        ),
    ),
    "an endpoint has a private name already": Case(
        "private-name-in-use",
        "fails",
        one(A=resource("EC2::VPCEndpoint", VpcId="vpc-1", ServiceName="ecr", PrivateDnsEnabled=True)),
        one(B=resource("EC2::VPCEndpoint", VpcId="vpc-1", ServiceName="ecr", PrivateDnsEnabled=True)),
        one(B=resource("EC2::VPCEndpoint", VpcId="vpc-1", ServiceName="ecr", PrivateDnsEnabled=False)),
    ),
    "a way out moves": Case(
        "connections-cut",
        "interrupts",
        one(
            A=resource(
                "EC2::Route", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0", NatGatewayId="nat-1"
            )
        ),
        one(
            A=resource(
                "EC2::Route", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0", NatGatewayId="nat-2"
            )
        ),
        one(
            A=resource(
                "EC2::Route", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0", NatGatewayId="nat-1"
            )
        ),
    ),
    "an address goes": Case(
        "address-released", "loses", one(A=resource("EC2::EIP"), Bucket=bucket()), one(Bucket=bucket())
    ),
    "instances that run stay as they are": Case(
        "running-instances-stay",
        "silent",
        one(Template=template("ami-1", "c6i.large")),
        one(Template=template("ami-2", "c6i.large")),
        one(Template=template("ami-1", "c6i.large")),
        certain=False,
    ),
    "instances move to a policy of several types": Case(
        "instances-exchanged",
        "interrupts",
        one(Pool=resource("AutoScaling::AutoScalingGroup", LaunchTemplate={"LaunchTemplateId": "lt-1"})),
        one(Pool=resource("AutoScaling::AutoScalingGroup", MixedInstancesPolicy={"LaunchTemplate": "lt-1"})),
        one(
            Pool=resource(
                "AutoScaling::AutoScalingGroup", LaunchTemplate={"LaunchTemplateId": "lt-1"}, MaxSize=2
            )
        ),
        certain=False,
    ),
    "a listener is made twice": Case(
        "listener-exists",
        "fails",
        one(Old=balancer(), A=listener("Old")),
        one(Old=balancer(), B=listener("Old")),
        one(Old=balancer(), A=listener("Old"), B=listener("Old", 81)),
    ),
    "a load balancer is protected": Case(
        "balancer-is-protected",
        "left-over",
        one(
            Old=balancer(LoadBalancerAttributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]),
            Bucket=bucket(),
        ),
        one(Bucket=bucket()),
        one(Old=balancer(), Bucket=bucket()),
    ),
    "a target group that a rule still sends to": Case(
        "group-in-use",
        "left-over",
        shared(
            {"Group": group(), "Arn": published("/shop/group", ref("Group"))},
            {"Rule": rule(1)},
            Group=reads("String", "/shop/group"),
        ),
        shared({"Bucket": bucket()}, {"Bucket": resource("S3::Bucket", BucketName="other")}),
        shared(
            {"Group": group(), "Arn": published("/shop/group", ref("Group"))},
            {"Bucket": resource("S3::Bucket", BucketName="other")},
        ),
    ),
    "a load balancer cannot move to another VPC": Case(
        "balancer-in-another-vpc",
        "fails",
        one(
            Group=resource("EC2::SecurityGroup", VpcId="vpc-1"),
            Balancer=balancer(SecurityGroups=[ref("Group")]),
        ),
        one(
            Group=resource("EC2::SecurityGroup", VpcId="vpc-2"),
            Balancer=balancer(SecurityGroups=[ref("Group")]),
        ),
        one(
            Group=resource("EC2::SecurityGroup", VpcId="vpc-1"),
            Balancer=balancer(SecurityGroups=[ref("Group")], IpAddressType="ipv4"),
        ),
    ),
    "a cluster with services": Case(
        "cluster-not-empty",
        "fails",
        stacks(
            cluster={"Cluster": resource("ECS::Cluster", ClusterName="shop-prod")}, web={"Service": service()}
        ),
        stacks(web={"Service": service()}),
        stacks(
            cluster={"Cluster": resource("ECS::Cluster", ClusterName="shop-prod")}, web={"Service": service()}
        ),
        delivery=Delivery(prunes="first"),
    ),
    "a target group without a rule": Case(
        "group-without-balancer",
        "fails",
        None,
        one(Group=group(), Rule=rule(1), Service=service(group=ref("Group"))),
        one(**answering()),
    ),
    "the number of tasks is set again": Case(
        "count-set-again",
        "interrupts",
        one(Service=service()),
        one(Service=service(DesiredCount=2)),
        one(Service=service(EnableExecuteCommand=True)),
        certain=False,
    ),
    "a digest of another repository": Case(
        "digest-of-another-image",
        "fails",
        one(Task=task(image="one/api@${given:ImageDigest}")),
        one(Task=task(image="two/api@${given:ImageDigest}")),
        one(Task=task({"Name": "A", "Value": "b"}, image="one/api@${given:ImageDigest}")),
        certain=False,
    ),
    "a bucket that is not kept": Case(
        "bucket-not-empty",
        "left-over",
        one(Data=bucket(), Logs=resource("S3::Bucket", BucketName="logs")),
        one(Logs=resource("S3::Bucket", BucketName="logs")),
        certain=False,
    ),
    "objects expire sooner": Case(
        "objects-expire-sooner",
        "loses",
        one(Data=bucket(LifecycleConfiguration={"Rules": [{"Prefix": "a/", "ExpirationInDays": 90}]})),
        one(Data=bucket(LifecycleConfiguration={"Rules": [{"Prefix": "a/", "ExpirationInDays": 7}]})),
        one(Data=bucket(LifecycleConfiguration={"Rules": [{"Prefix": "a/", "ExpirationInDays": 100}]})),
    ),
    "a provider that the account has": Case(
        "provider-exists",
        "fails",
        None,
        one(Provider=resource("IAM::OIDCProvider", Url="https://token.actions.githubusercontent.com")),
        certain=False,
    ),
    "a repository with images": Case(
        "repository-not-empty",
        "left-over",
        one(Images=repository(10), Bucket=bucket()),
        one(Bucket=bucket()),
        certain=False,
    ),
    "a key goes": Case(
        "key-deleted", "loses", one(Key=resource("KMS::Key"), Bucket=bucket()), one(Bucket=bucket())
    ),
    "logs expire sooner": Case(
        "logs-expire-sooner",
        "loses",
        one(Logs=resource("Logs::LogGroup", RetentionInDays=30)),
        one(Logs=resource("Logs::LogGroup", RetentionInDays=7)),
        one(Logs=resource("Logs::LogGroup", RetentionInDays=60)),
    ),
    "logs under another key": Case(
        "old-events-old-key",
        "loses",
        one(Logs=resource("Logs::LogGroup", KmsKeyId="one")),
        one(Logs=resource("Logs::LogGroup", KmsKeyId="two")),
        one(Logs=resource("Logs::LogGroup", KmsKeyId="one", RetentionInDays=7)),
        certain=False,
    ),
    "a group takes schedules with it": Case(
        "schedules-go-with-group",
        "interrupts",
        stacks(
            a={"All": resource("Scheduler::ScheduleGroup", Name="all"), "Bucket": bucket()},
            b={"Night": resource("Scheduler::Schedule", GroupName="all")},
        ),
        stacks(a={"Bucket": bucket()}, b={"Night": resource("Scheduler::Schedule", GroupName="all")}),
        stacks(
            a={"All": resource("Scheduler::ScheduleGroup", Name="all"), "Bucket": bucket()},
            b={"Night": resource("Scheduler::Schedule", GroupName="all")},
        ),
    ),
    "two mount targets in a zone": Case(
        "mount-target-exists",
        "fails",
        one(
            A=subnet("10.0.0.0/24"),
            Target=resource("EFS::MountTarget", FileSystemId="fs-1", SubnetId=ref("A")),
        ),
        one(
            B=subnet("10.0.1.0/24"),
            Target=resource("EFS::MountTarget", FileSystemId="fs-1", SubnetId=ref("B")),
        ),
        one(
            A=subnet("10.0.0.0/24"),
            B=subnet("10.0.1.0/24"),
            Target=resource("EFS::MountTarget", FileSystemId="fs-1", SubnetId=ref("A")),
        ),
    ),
    "mounts are cut": Case(
        "mounts-cut",
        "interrupts",
        one(
            Target=resource("EFS::MountTarget", FileSystemId="fs-1", SubnetId="subnet-1"),
            Task=task(Volumes=[{"Id": "fs-1"}]),
        ),
        one(Task=task(Volumes=[{"Id": "fs-1"}])),
        one(Task=task()),
    ),
    "a file system with mount targets": Case(
        "file-system-in-use",
        "left-over",
        shared(
            {"Files": resource("EFS::FileSystem"), "Id": published("/shop/fs", ref("Files"))},
            {"Target": resource("EFS::MountTarget", FileSystemId=ref("Id"), SubnetId="subnet-1")},
            Id=reads("String", "/shop/fs"),
        ),
        shared({"Bucket": bucket()}, {"Bucket": resource("S3::Bucket", BucketName="other")}),
    ),
    "an alarm that a rollback needs": Case(
        "rollback-without-alarm",
        "silent",
        stacks(
            a={"Alarm": resource("CloudWatch::Alarm", AlarmName="errors"), "Bucket": bucket()},
            b={"Service": service(DeploymentConfiguration={"Alarms": {"AlarmNames": ["errors"]}})},
        ),
        stacks(
            a={"Bucket": bucket()},
            b={"Service": service(DeploymentConfiguration={"Alarms": {"AlarmNames": ["errors"]}})},
        ),
        stacks(
            a={"Alarm": resource("CloudWatch::Alarm", AlarmName="errors"), "Bucket": bucket()},
            b={"Service": service()},
        ),
    ),
}

AGAIN = {
    "empty-beside-kept": resource("EFS::FileSystem", **KEPT),
    "still-draining": service(),
    "name-rests-a-minute": resource("SQS::Queue", QueueName="work"),
    "secret-in-recovery": resource("SecretsManager::Secret", Name="token"),
}
"""What is made, taken away and made again, and the rule that speaks of it."""


@pytest.mark.parametrize("title", sorted(CASES))
def test_is_found(title: str):
    """The fault is found where it is, with its reason, its source and what works; mended, it is not."""
    case = CASES[title]
    found = moves(case.old, case.new, case.delivery)
    told = [each for each in found.findings if each.rule == case.rule]
    assert told, [each.rule for each in found.findings]
    assert {each.kind for each in told} == {case.kind}
    assert all((each.assumption is None) == case.certain for each in told)
    assert all(each.reason and each.instead and each.source for each in told)
    assert (found.stopped_at is not None) == any(each.stops for each in found.findings)
    if case.kind == "fails" and case.certain:
        assert found.stopped_at == told[0].stack
    if case.mended is not None:
        mended = moves(case.old, case.mended, case.mended_delivery or case.delivery)
        assert case.rule not in [each.rule for each in mended.findings]


@pytest.mark.parametrize("rule", sorted(AGAIN))
def test_is_found_when_it_is_made_again(rule: str):
    """Made for the first time there is nothing to say; made again there is."""
    with_it, without = one(Thing=AGAIN[rule], Bucket=bucket()), one(Bucket=bucket())
    first = deploy(Account(), with_it)
    gone = deploy(first.account, without)
    again = deploy(gone.account, with_it)
    assert [each.rule for each in first.findings if each.rule in AGAIN] == []
    assert rule in [each.rule for each in again.findings]


def test_every_rule_is_shown():
    """No rule is there without a fault that it finds."""
    shown = {case.rule for case in CASES.values()} | AGAIN.keys()
    assert {each.name for each in rules()} - shown == set()


def test_every_rule_names_its_source():
    """A rule says what it rests on, and its name tells it from all others."""
    names = [each.name for each in rules()]
    assert len(names) == len(set(names))
    assert all(len(each.source) > 20 and each.instead for each in rules())
