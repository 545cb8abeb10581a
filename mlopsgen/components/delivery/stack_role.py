"""What CloudFormation must be allowed to do for the stacks of one environment, as grants.

The actions are those of the resource types' handlers (`permissions` in the CloudFormation registry's
schemas); the patterns are the names that `Site` gives, and those that CloudFormation makes of stack names.
Nothing here can delete the data: the buckets, the key and their policies are kept when a stack goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Sub

from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.parts.policies import arn
from mlopsgen.parts.roles import boundary, role_path

PASSED_TO = (
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "ecs.amazonaws.com",
    "events.amazonaws.com",
    "scheduler.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
)
"""The services that the stacks hand roles to."""

_SERVICE_LINKED = (
    "autoscaling.amazonaws.com",
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "spot.amazonaws.com",
)


def grants(site: Site) -> Iterator[Grant]:
    """Everything that the stacks' resources take, by service."""
    yield from _storage(site)
    yield from _messages(site)
    yield from _network(site)
    yield from _containers(site)
    yield from _monitoring(site)
    yield from _roles(site)
    yield Grant(
        (
            "application-autoscaling:Describe*",
            "autoscaling:Describe*",
            "cloudwatch:DescribeAlarms",
            "ec2:Describe*",
            "ecs:DeregisterTaskDefinition",
            "ecs:DescribeTaskDefinition",
            "elasticloadbalancing:Describe*",
            "kms:ListAliases",
            "logs:DescribeLogGroups",
            "ssm:DescribeParameters",
        ),
        ("*",),
        "reads back what was made",
        reason="these actions take no resource: AWS lists or looks up in the whole account",
    )


def _storage(site: Site) -> Iterator[Grant]:
    yield Grant(
        (
            "s3:CreateBucket",
            "s3:GetBucket*",
            "s3:Get*Configuration",
            "s3:ListTagsForResource",
            "s3:PutBucket*",
            "s3:Put*Configuration",
            "s3:TagResource",
            "s3:UntagResource",
        ),
        (*(arn("s3", each.physical) for each in site.buckets), arn("s3", site.log_bucket)),
        "makes the buckets",
    )
    tagged = _tagged(site, "aws:RequestTag")
    yield Grant(
        ("kms:CreateKey",),
        ("*",),
        "makes the key",
        tagged,
        reason="a key has no ARN before it exists; it must carry this environment's tags",
    )
    yield Grant(
        (
            "kms:CreateAlias",
            "kms:Decrypt",
            "kms:DeleteAlias",
            "kms:DescribeKey",
            "kms:EnableKeyRotation",
            "kms:GenerateDataKey",
            "kms:GetKeyPolicy",
            "kms:GetKeyRotationStatus",
            "kms:ListResourceTags",
            "kms:PutKeyPolicy",
            "kms:TagResource",
            "kms:UpdateAlias",
            "kms:UpdateKeyDescription",
        ),
        (arn("kms", "key/*"),),
        "keeps the key",
        _tagged(site, "aws:ResourceTag"),
    )
    yield Grant(
        ("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"),
        (arn("kms", f"alias/{site.prefix}"),),
        "names the key",
    )
    yield Grant(
        ("kms:CreateGrant", "kms:RetireGrant"),
        (arn("kms", "key/*"),),
        "encrypts repositories",
        (*_tagged(site, "aws:ResourceTag"), ("Bool", "kms:GrantIsForAWSResource", "true")),
    )


def _messages(site: Site) -> Iterator[Grant]:
    yield Grant(
        (
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:Get*",
            "sns:List*",
            "sns:Set*",
            "sns:Subscribe",
            "sns:TagResource",
            "sns:Unsubscribe",
            "sns:UntagResource",
        ),
        (arn("sns", f"{site.prefix}-*"),),
        "makes the topic",
    )
    yield Grant(
        (
            "sqs:CreateQueue",
            "sqs:DeleteQueue",
            "sqs:Get*",
            "sqs:ListQueueTags",
            "sqs:SetQueueAttributes",
            "sqs:TagQueue",
            "sqs:UntagQueue",
        ),
        (arn("sqs", f"{site.prefix}-*"),),
        "makes the queue",
    )
    yield Grant(
        (
            "ssm:AddTagsToResource",
            "ssm:DeleteParameter",
            "ssm:GetParameter",
            "ssm:GetParameters",
            "ssm:ListTagsForResource",
            "ssm:PutParameter",
            "ssm:RemoveTagsFromResource",
        ),
        (arn("ssm", f"parameter/{site.prefix}/*"),),
        "passes values between stacks",
    )
    yield public_parameters()
    yield Grant(
        (
            "events:DeleteRule",
            "events:DescribeRule",
            "events:List*",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
            "events:UntagResource",
        ),
        (arn("events", f"rule/{site.prefix}-*"),),
        "makes rules",
    )
    yield Grant(
        (
            "scheduler:Create*",
            "scheduler:Delete*",
            "scheduler:Get*",
            "scheduler:List*",
            "scheduler:TagResource",
            "scheduler:UntagResource",
            "scheduler:Update*",
        ),
        (
            arn("scheduler", f"schedule-group/{site.prefix}-*"),
            arn("scheduler", f"schedule/{site.prefix}-*/*"),
        ),
        "makes schedules",
    )


def _network(site: Site) -> Iterator[Grant]:
    """Resources of EC2 have no names: they are held to the region and account, and deletion to the tags."""
    yield Grant(
        (
            "ec2:AllocateAddress",
            "ec2:Associate*",
            "ec2:AttachInternetGateway",
            "ec2:AuthorizeSecurityGroup*",
            "ec2:CreateFlowLogs",
            "ec2:CreateInternetGateway",
            "ec2:CreateLaunchTemplate*",
            "ec2:CreateNatGateway",
            "ec2:CreateRoute*",
            "ec2:CreateSecurityGroup",
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:CreateVpc",
            "ec2:CreateVpcEndpoint",
            "ec2:DisassociateAddress",
            "ec2:DisassociateRouteTable",
            "ec2:ModifyLaunchTemplate",
            "ec2:ModifySecurityGroupRules",
            "ec2:ModifySubnetAttribute",
            "ec2:ModifyVpcAttribute",
            "ec2:ModifyVpcEndpoint",
            "ec2:ReplaceRoute*",
            "ec2:RevokeSecurityGroup*",
            "ec2:RunInstances",
            "ec2:UpdateSecurityGroupRuleDescriptions*",
        ),
        (arn("ec2", "*"), Sub("arn:${AWS::Partition}:ec2:${AWS::Region}::image/*")),
        "makes the network",
    )
    yield Grant(
        (
            "ec2:DeleteFlowLogs",
            "ec2:DeleteInternetGateway",
            "ec2:DeleteLaunchTemplate*",
            "ec2:DeleteNatGateway",
            "ec2:DeleteRoute*",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteSubnet",
            "ec2:DeleteTags",
            "ec2:DeleteVpc",
            "ec2:DeleteVpcEndpoints",
            "ec2:DetachInternetGateway",
            "ec2:ReleaseAddress",
        ),
        (arn("ec2", "*"),),
        "removes its own network",
        _tagged(site, "aws:ResourceTag"),
    )
    yield Grant(
        (
            "elasticloadbalancing:Add*",
            "elasticloadbalancing:Create*",
            "elasticloadbalancing:Modify*",
            "elasticloadbalancing:Remove*",
            "elasticloadbalancing:Set*",
        ),
        (arn("elasticloadbalancing", "*"),),
        "makes load balancers",
    )
    yield Grant(
        ("elasticloadbalancing:Delete*",),
        (arn("elasticloadbalancing", "*"),),
        "removes its own load balancers",
        _tagged(site, "aws:ResourceTag"),
    )


def _containers(site: Site) -> Iterator[Grant]:
    yield Grant(
        (
            "ecr:CreateRepository",
            "ecr:DeleteLifecyclePolicy",
            "ecr:DeleteRepositoryPolicy",
            "ecr:DescribeRepositories",
            "ecr:GetLifecyclePolicy",
            "ecr:GetRepositoryPolicy",
            "ecr:ListTagsForResource",
            "ecr:PutImageScanningConfiguration",
            "ecr:PutImageTagMutability",
            "ecr:PutLifecyclePolicy",
            "ecr:SetRepositoryPolicy",
            "ecr:TagResource",
            "ecr:UntagResource",
        ),
        (arn("ecr", f"repository/{site.prefix}/*"),),
        "makes repositories",
    )
    kinds = ("service", "service-deployment", "service-revision")
    yield Grant(
        (
            "ecs:Create*",
            "ecs:Delete*",
            "ecs:Describe*",
            "ecs:ListTagsForResource",
            "ecs:PutClusterCapacityProviders",
            "ecs:RegisterTaskDefinition",
            "ecs:StopServiceDeployment",
            "ecs:TagResource",
            "ecs:UntagResource",
            "ecs:Update*",
        ),
        (
            arn("ecs", f"cluster/{site.cluster}"),
            arn("ecs", f"capacity-provider/{site.prefix}-*"),
            *(arn("ecs", f"{kind}/{site.cluster}/*") for kind in kinds),
            arn("ecs", f"task-definition/{site.prefix}-*:*"),
        ),
        "makes clusters and services",
    )
    yield Grant(
        (
            "autoscaling:Create*",
            "autoscaling:Delete*",
            "autoscaling:Put*",
            "autoscaling:Set*",
            "autoscaling:UpdateAutoScalingGroup",
        ),
        (arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{site.prefix}-*"),),
        "makes instances",
    )
    yield Grant(
        (
            "application-autoscaling:Delete*",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:ListTagsForResource",
            "application-autoscaling:Put*",
            "application-autoscaling:RegisterScalableTarget",
            "application-autoscaling:TagResource",
            "application-autoscaling:UntagResource",
        ),
        (arn("application-autoscaling", "scalable-target/*"),),
        "scales services",
    )


def _monitoring(site: Site) -> Iterator[Grant]:
    yield Grant(
        (
            "logs:AssociateKmsKey",
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:DeleteMetricFilter",
            "logs:DeleteRetentionPolicy",
            "logs:DescribeMetricFilters",
            "logs:DisassociateKmsKey",
            "logs:GetDataProtectionPolicy",
            "logs:ListTagsForResource",
            "logs:PutMetricFilter",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
        ),
        (arn("logs", f"log-group:/{site.prefix}/*"),),
        "makes log groups",
    )
    yield Grant(
        (
            "cloudwatch:DeleteAlarms",
            "cloudwatch:ListTagsForResource",
            "cloudwatch:PutCompositeAlarm",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ),
        (arn("cloudwatch", f"alarm:{site.prefix}-*"),),
        "makes alarms",
    )
    dashboards = Sub(f"arn:${{AWS::Partition}}:cloudwatch::${{AWS::AccountId}}:dashboard/{site.prefix}-*")
    yield Grant(
        ("cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard"),
        (dashboards,),
        "makes dashboards",
    )


def _roles(site: Site) -> Iterator[Grant]:
    """Roles of this environment, inside the boundary; never those that deploy, and never the boundary."""
    own = arn("iam", f"role{site.role_path}*")
    bounds = boundary(site)
    assert bounds is not None
    yield Grant(
        (
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
        ),
        (own,),
        "makes bounded roles",
        (("StringEquals", "iam:PermissionsBoundary", bounds),),
    )
    profiles = arn("iam", f"instance-profile{site.role_path}*")
    yield Grant(
        (
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:DeleteRole",
            "iam:Get*",
            "iam:List*",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:TagInstanceProfile",
            "iam:TagRole",
            "iam:UntagInstanceProfile",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole*",
        ),
        (own, profiles),
        "keeps roles",
    )
    yield Grant(
        ("iam:PassRole",),
        (own,),
        "hands roles to services",
        (("StringEquals", "iam:PassedToService", PASSED_TO),),
    )
    yield Grant(
        ("iam:CreateServiceLinkedRole",),
        (arn("iam", "role/aws-service-role/*"),),
        "lets AWS services make their own roles",
        (("StringEquals", "iam:AWSServiceName", _SERVICE_LINKED),),
    )
    deployers = tuple(
        arn("iam", f"role{role_path(site, 'access')}{name}") for name in (site.delivery_role, site.stack_role)
    )
    yield Grant(
        (
            "iam:Add*",
            "iam:Attach*",
            "iam:Create*",
            "iam:Delete*",
            "iam:Detach*",
            "iam:PassRole",
            "iam:Put*",
            "iam:Set*",
            "iam:Update*",
        ),
        (*deployers, arn("iam", f"policy{site.role_path}*")),
        "change its own rights",
        effect="Deny",
    )
    yield Grant(("iam:DeleteRolePermissionsBoundary",), ("*",), "unbind a role", effect="Deny")


def public_parameters() -> Grant:
    """The parameters in which AWS publishes the current machine images."""
    public = Sub("arn:${AWS::Partition}:ssm:${AWS::Region}::parameter/aws/service/*")
    return Grant(("ssm:GetParameter", "ssm:GetParameters"), (public,), "finds AWS's machine images")


def _tagged(site: Site, key: str) -> tuple[tuple[str, str, str], ...]:
    """Only what carries, or is about to carry, the tags of this environment."""
    return (
        ("StringEquals", f"{key}/mlopsgen:environment", site.environment),
        ("StringEquals", f"{key}/mlopsgen:pipeline", site.name),
    )
