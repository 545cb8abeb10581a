"""Where CloudFormation may use a permission when it deploys an environment, and what it may not at all.

The permissions are those of the resource types' handlers (`resource_types`). What is here is written by hand,
and tested against the service authorization reference, which says what kind of resource each action takes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

TYPES = frozenset(
    f"AWS::{each}"
    for each in (
        "ApplicationAutoScaling::ScalableTarget", "ApplicationAutoScaling::ScalingPolicy",
        "AutoScaling::AutoScalingGroup", "AutoScaling::ScalingPolicy", "AutoScaling::ScheduledAction",
        "AutoScaling::WarmPool",
        "Backup::BackupPlan", "Backup::BackupSelection", "Backup::BackupVault",
        "Batch::ComputeEnvironment", "Batch::JobDefinition", "Batch::JobQueue",
        "CertificateManager::Certificate",
        "CloudWatch::Alarm", "CloudWatch::AnomalyDetector", "CloudWatch::CompositeAlarm",
        "CloudWatch::Dashboard",
        "EC2::EIP", "EC2::EIPAssociation", "EC2::FlowLog", "EC2::Instance", "EC2::InternetGateway",
        "EC2::LaunchTemplate", "EC2::NatGateway", "EC2::PlacementGroup", "EC2::Route", "EC2::RouteTable",
        "EC2::SecurityGroup", "EC2::SecurityGroupEgress", "EC2::SecurityGroupIngress", "EC2::Subnet",
        "EC2::SubnetRouteTableAssociation", "EC2::VPC", "EC2::VPCEndpoint", "EC2::VPCGatewayAttachment",
        "EC2::Volume", "EC2::VolumeAttachment",
        "ECR::Repository",
        "ECS::CapacityProvider", "ECS::Cluster", "ECS::ClusterCapacityProviderAssociations", "ECS::Service",
        "ECS::TaskDefinition",
        "EFS::AccessPoint", "EFS::FileSystem", "EFS::MountTarget",
        "ElasticLoadBalancingV2::Listener", "ElasticLoadBalancingV2::ListenerCertificate",
        "ElasticLoadBalancingV2::ListenerRule", "ElasticLoadBalancingV2::LoadBalancer",
        "ElasticLoadBalancingV2::TargetGroup",
        "Events::Rule",
        "IAM::InstanceProfile", "IAM::ManagedPolicy", "IAM::Role",
        "KMS::Alias", "KMS::Key",
        "Logs::LogGroup", "Logs::MetricFilter", "Logs::QueryDefinition", "Logs::SubscriptionFilter",
        "Route53::RecordSet",
        "S3::Bucket", "S3::BucketPolicy",
        "SNS::Subscription", "SNS::Topic", "SNS::TopicPolicy",
        "SQS::Queue", "SQS::QueuePolicy",
        "SSM::Parameter",
        "Scheduler::Schedule", "Scheduler::ScheduleGroup",
        "ServiceDiscovery::HttpNamespace", "ServiceDiscovery::PrivateDnsNamespace",
        "ServiceDiscovery::Service",
        "StepFunctions::StateMachine",
        "WAFv2::WebACL", "WAFv2::WebACLAssociation",
    )
)  # fmt: skip
"""The types whose permissions somebody has looked at: every one is below, or withheld."""

Hold: TypeAlias = Literal["", "own", "own by AWS", "by AWS", "new", "settled", "bounded", "handed", "linked"]
"""What has to hold beside the name.

`own`: the resource carries the environment's tags. `by AWS`: a service of AWS asks for itself. `new`: what is
made gets these tags in the same call. `settled`: `own` once CloudFormation has tagged the resource; until
then it carries at least no other environment's tags. `bounded`: the role is inside the boundary. `handed`: it
goes to a service that the type hands roles to. `linked`: it is service-linked, and the type needs it.
"""


class Where(NamedTuple):
    """Resources on which actions may act.

    In ARNs, HERE is this region and account, ACCOUNT the account without a region, PREFIX the environment's
    prefix; BUCKET, ZONE and KEY stand for each bucket and hosted zone of the plan, and each key of others.
    """

    resources: tuple[str, ...]
    hold: Hold = ""
    reason: str | None = None
    """Why it is `*`."""


class ActionScope(NamedTuple):
    """Actions of one service, as patterns, and all the places where they may act."""

    actions: tuple[str, ...]
    places: tuple[Where, ...]
    whole: bool = False
    """Whether the pattern itself is granted, since it names nothing but look-ups."""


class Withheld(NamedTuple):
    """Permissions that handlers name and CloudFormation does not get."""

    types: tuple[str, ...]
    actions: tuple[str, ...]
    """Patterns."""
    reason: str
    unless: tuple[str, ...] = ()
    """Properties, at any depth: granted after all if a resource of the type has one of these."""


class Added(NamedTuple):
    """Permissions that a type takes and its schema does not name."""

    type: str
    actions: tuple[str, ...]
    reason: str
    where: str | None = None
    """The property that a resource must have for it, at any depth."""


_LOOKS_UP = Where(("*",), reason="these actions take no resource: AWS lists or looks up in the whole account")
_MAKES = Where(("*",), reason="what is made has no ARN before it exists")
_NO_RESOURCE = Where(("*",), reason="these actions take no resource")


def _at(*resources: str, hold: Hold = "") -> tuple[Where, ...]:
    return (Where(resources, hold),)


SCOPES: dict[str, tuple[ActionScope, ...]] = {
    "acm": (
        ActionScope(("RequestCertificate",), (_MAKES,)),
        ActionScope(("Describe*", "ListTags*"), _at("acm:HERE:certificate/*")),
        ActionScope(("*",), _at("acm:HERE:certificate/*", hold="settled")),
    ),
    "application-autoscaling": (
        ActionScope(("Describe*",), (_LOOKS_UP,), whole=True),
        ActionScope(("*",), _at("application-autoscaling:HERE:scalable-target/*", hold="settled")),
    ),
    "autoscaling": (
        ActionScope(("Describe*",), (_LOOKS_UP,), whole=True),
        # A group without a name of its own gets one that begins with its stack's.
        ActionScope(("*",), _at("autoscaling:HERE:autoScalingGroup:*:autoScalingGroupName/PREFIX-*")),
    ),
    "backup": (
        ActionScope(("*Vault*",), _at("backup:HERE:backup-vault:PREFIX-*")),
        ActionScope(
            ("*Tag*", "Untag*"),
            (
                Where(("backup:HERE:backup-vault:PREFIX-*",)),
                Where(("backup:HERE:backup-plan:*",), "settled"),
            ),
        ),
        ActionScope(("*",), _at("backup:HERE:backup-plan:*", hold="settled")),
    ),
    "batch": (
        ActionScope(("Describe*",), (_LOOKS_UP,)),
        ActionScope(
            ("*",),
            _at(
                "batch:HERE:compute-environment/PREFIX-*",
                "batch:HERE:job-definition/PREFIX-*",
                "batch:HERE:job-queue/PREFIX-*",
            ),
        ),
    ),
    "cloudwatch": (
        ActionScope(("DescribeA*", "GetMetricData"), (_LOOKS_UP,)),
        ActionScope(("*AnomalyDetector",), (_NO_RESOURCE,)),
        ActionScope(("*Dashboard*",), _at("cloudwatch:ACCOUNT:dashboard/PREFIX-*")),
        ActionScope(
            ("*Tag*", "Untag*"),
            _at("cloudwatch:HERE:alarm:PREFIX-*", "cloudwatch:ACCOUNT:dashboard/PREFIX-*"),
        ),
        ActionScope(("*",), _at("cloudwatch:HERE:alarm:PREFIX-*")),
    ),
    "cognito-idp": (ActionScope(("DescribeUserPoolClient",), _at("cognito-idp:HERE:userpool/*")),),
    # Resources of EC2 have no names: they are held to the region and account, and to their tags.
    "ec2": (
        ActionScope(("Describe*",), (_LOOKS_UP,), whole=True),
        ActionScope(
            ("CreateLaunchTemplateVersion", "CreateRoute", "CreateTags"), _at("ec2:HERE:*", hold="settled")
        ),
        ActionScope(("DeleteTags",), _at("ec2:HERE:*", hold="own")),
        ActionScope(("AllocateAddress", "Create*"), _at("ec2:HERE:*")),
        ActionScope(("RunInstances",), _at("ec2:HERE:*", "ec2:${AWS::Region}::image/*")),
        # A new rule of a group has no tags of its own.
        ActionScope(
            ("AuthorizeSecurityGroup*",),
            (
                Where(("ec2:HERE:security-group/*",), "settled"),
                Where(("ec2:HERE:security-group-rule/*",)),
            ),
        ),
        # What an address goes to has no tags where AWS makes the network interface itself.
        ActionScope(
            ("AssociateAddress", "DisassociateAddress"),
            (
                Where(("ec2:HERE:elastic-ip/*",), "settled"),
                Where(("ec2:HERE:instance/*", "ec2:HERE:network-interface/*")),
            ),
        ),
        # The endpoint is the environment's own; the network that reaches it may be somebody else's.
        ActionScope(
            ("ModifyVpcEndpoint",),
            (
                Where(("ec2:HERE:vpc-endpoint/*",), "settled"),
                Where(("ec2:HERE:route-table/*", "ec2:HERE:security-group/*", "ec2:HERE:subnet/*")),
            ),
        ),
        ActionScope(("*",), _at("ec2:HERE:*", hold="settled")),
    ),
    "ecr": (ActionScope(("*",), _at("ecr:HERE:repository/PREFIX/*")),),
    "ecs": (
        ActionScope(("DeregisterTaskDefinition", "DescribeTaskDefinition"), (_LOOKS_UP,)),
        ActionScope(
            ("*",),
            _at(
                "ecs:HERE:capacity-provider/PREFIX-*",
                "ecs:HERE:cluster/PREFIX",
                "ecs:HERE:service-deployment/PREFIX/*",
                "ecs:HERE:service-revision/PREFIX/*",
                "ecs:HERE:service/PREFIX/*",
                "ecs:HERE:task-definition/PREFIX-*:*",
            ),
        ),
    ),
    "elasticfilesystem": (
        ActionScope(("CreateFileSystem",), (_MAKES,)),
        ActionScope(
            ("Describe*", "ListTags*"),
            _at("elasticfilesystem:HERE:access-point/*", "elasticfilesystem:HERE:file-system/*"),
        ),
        # Both are made of a file system that is there and has its tags.
        ActionScope(
            ("CreateAccessPoint", "CreateMountTarget"),
            _at("elasticfilesystem:HERE:file-system/*", hold="own"),
        ),
        ActionScope(
            ("*",),
            _at(
                "elasticfilesystem:HERE:access-point/*",
                "elasticfilesystem:HERE:file-system/*",
                hold="settled",
            ),
        ),
    ),
    # The names that CloudFormation makes up for load balancers are cut short: tags hold, not names.
    "elasticloadbalancing": (
        ActionScope(("Describe*",), (_LOOKS_UP,), whole=True),
        ActionScope(("SetWebACL",), (_NO_RESOURCE,)),
        ActionScope(("Create*",), _at("elasticloadbalancing:HERE:*")),
        ActionScope(("*",), _at("elasticloadbalancing:HERE:*", hold="settled")),
    ),
    "events": (ActionScope(("*",), _at("events:HERE:rule/PREFIX-*")),),
    "iam": (
        ActionScope(("PassRole",), _at("iam:ACCOUNT:role/PREFIX/*", hold="handed")),
        ActionScope(("CreateServiceLinkedRole",), _at("iam:ACCOUNT:role/aws-service-role/*", hold="linked")),
        ActionScope(
            (
                "AttachRolePolicy",
                "CreateRole",
                "DeleteRolePolicy",
                "DetachRolePolicy",
                "PutRolePermissionsBoundary",
                "PutRolePolicy",
            ),
            _at("iam:ACCOUNT:role/PREFIX/*", hold="bounded"),
        ),
        ActionScope(("*InstanceProfile",), _at("iam:ACCOUNT:instance-profile/PREFIX/*")),
        ActionScope(("*Role*",), _at("iam:ACCOUNT:role/PREFIX/*")),
        # What does not fit into a role stands in policies beside it, in the path of the same stack.
        ActionScope(("*Policy", "*PolicyVersion*"), _at("iam:ACCOUNT:policy/PREFIX/*")),
    ),
    "kms": (
        ActionScope(
            ("CreateKey",),
            (
                Where(
                    ("*",), "new", "a key has no ARN before it exists; it must carry this environment's tags"
                ),
            ),
        ),
        ActionScope(("ListAliases",), (_LOOKS_UP,)),
        ActionScope(
            ("*Alias",),
            (Where(("kms:HERE:alias/PREFIX",)), Where(("kms:HERE:key/*",), "own")),
        ),
        ActionScope(
            ("CreateGrant",),
            (Where(("kms:HERE:key/*",), "own by AWS"), Where(("KEY",), "by AWS")),
        ),
        ActionScope(
            ("Decrypt", "DescribeKey", "GenerateDataKey*", "RetireGrant"),
            (Where(("kms:HERE:key/*",), "own"), Where(("KEY",))),
        ),
        ActionScope(("*",), _at("kms:HERE:key/*", hold="own")),
    ),
    "logs": (
        ActionScope(("DescribeLogGroups", "Describe*Policies", "DescribeQueryDefinitions"), (_LOOKS_UP,)),
        ActionScope(("*IndexPolicy", "*LogDelivery", "*QueryDefinition", "*ResourcePolicy"), (_NO_RESOURCE,)),
        ActionScope(("*",), _at("logs:HERE:log-group:/PREFIX/*")),
    ),
    "route53": (
        ActionScope(("ListHostedZones*",), (_LOOKS_UP,)),
        ActionScope(("CreateHostedZone",), (_MAKES,)),
        ActionScope(("GetChange",), _at("route53:::change/*")),
        ActionScope(("*",), _at("route53:::hostedzone/ZONE")),
    ),
    "s3": (
        ActionScope(("GetBucket*", "Get*Configuration"), _at("s3:::BUCKET"), whole=True),
        ActionScope(("*",), _at("s3:::BUCKET")),
    ),
    "scheduler": (
        ActionScope(("*ScheduleGroup", "*Tag*", "Untag*"), _at("scheduler:HERE:schedule-group/PREFIX-*")),
        ActionScope(("*",), _at("scheduler:HERE:schedule/PREFIX-*/*")),
    ),
    "servicediscovery": (
        ActionScope(("ListServices", "ListTags*"), (_LOOKS_UP,)),
        ActionScope(("*agResource", "Create*Namespace"), (_NO_RESOURCE,)),
        ActionScope(
            ("CreateService", "Get*"),
            _at("servicediscovery:HERE:namespace/*", "servicediscovery:HERE:service/*"),
        ),
        ActionScope(
            ("*",),
            _at("servicediscovery:HERE:namespace/*", "servicediscovery:HERE:service/*", hold="settled"),
        ),
    ),
    "sns": (ActionScope(("*",), _at("sns:HERE:PREFIX-*")),),
    "sqs": (ActionScope(("*",), _at("sqs:HERE:PREFIX-*")),),
    "ssm": (
        ActionScope(("DescribeAssociation", "ListAssociations"), (_LOOKS_UP,)),
        ActionScope(("*",), _at("ssm:HERE:parameter/PREFIX/*")),
    ),
    "states": (ActionScope(("*",), _at("states:HERE:stateMachine:PREFIX-*")),),
    "wafv2": (
        ActionScope(
            ("AssociateWebACL", "DisassociateWebACL", "GetWebACLForResource"),
            _at("elasticloadbalancing:HERE:loadbalancer/app/*", "wafv2:HERE:regional/webacl/PREFIX-*/*"),
        ),
        # A web ACL of AWS's rules is made of them, too.
        ActionScope(
            ("CreateWebACL", "UpdateWebACL"),
            _at("wafv2:HERE:regional/managedruleset/*/*", "wafv2:HERE:regional/webacl/PREFIX-*/*"),
        ),
        ActionScope(("*",), _at("wafv2:HERE:regional/webacl/PREFIX-*/*")),
    ),
}
"""By IAM's prefix of the service. The first scope that names an action decides."""

_UNKNOWN = "IAM has no such action (service authorization reference)"

WITHHELD: tuple[Withheld, ...] = (
    # Data outlives the stack: templates keep it, and the role could not delete it.
    Withheld(("AWS::S3::Bucket",), ("s3:DeleteBucket",), "the bucket is kept, with its objects"),
    Withheld(("AWS::S3::BucketPolicy",), ("s3:DeleteBucketPolicy",), "the bucket is kept as it is protected"),
    Withheld(("AWS::S3::Bucket",), ("s3:DeleteObject", "s3:PutObjectAcl"), "it makes buckets, not objects"),
    Withheld(("AWS::KMS::Key",), ("kms:ScheduleKeyDeletion",), "with the key, all data would be lost"),
    Withheld(("AWS::KMS::Key",), ("kms:DisableKey",), "a disabled key opens nothing", ("Enabled",)),
    Withheld(("AWS::ECR::Repository",), ("ecr:DeleteRepository",), "images outlive the stack"),
    Withheld(
        ("AWS::EFS::FileSystem",),
        ("elasticfilesystem:DeleteFileSystem",),
        "the file system is kept, with its files",
    ),
    Withheld(("AWS::Backup::BackupVault",), ("backup:DeleteBackupVault",), "the vault is kept"),
    # Rights.
    Withheld(("AWS::IAM::Role",), ("iam:DeleteRolePermissionsBoundary",), "no role may leave its boundary"),
    Withheld(
        ("AWS::IAM::ManagedPolicy",),
        ("iam:*GroupPolicy", "iam:*UserPolicy"),
        "policies are for roles alone",
    ),
    # What reaches further than the environment, and no template here asks for.
    Withheld(("AWS::ECS::Cluster",), ("ecs:PutAccountSetting*",), "a setting of the whole account"),
    Withheld(("AWS::ApplicationAutoScaling::ScalableTarget",), ("lambda:*",), "what scales is on ECS"),
    Withheld(
        ("AWS::ApplicationAutoScaling::ScalableTarget",),
        ("iam:PassRole",),
        "a service-linked role scales",
        ("RoleARN",),
    ),
    Withheld(
        ("AWS::ApplicationAutoScaling::ScalingPolicy", "AWS::AutoScaling::ScalingPolicy"),
        ("cloudwatch:GetMetricData",),
        "only predictive scaling looks at a metric's past",
        ("PredictiveScalingConfiguration", "PredictiveScalingPolicyConfiguration"),
    ),
    Withheld(
        ("AWS::AutoScaling::AutoScalingGroup",),
        ("ec2:Get*", "ssm:Get*"),
        "ec2:Describe* tells of launch templates, and their image is a parameter of the stack; among these "
        "are passwords and console output of every instance",
    ),
    Withheld(("AWS::AutoScaling::AutoScalingGroup",), ("vpc-lattice:*",), "no group is behind VPC Lattice"),
    Withheld(("AWS::AutoScaling::AutoScalingGroup",), ("managed-fleets:*",), _UNKNOWN),
    Withheld(("AWS::Batch::ComputeEnvironment",), ("eks:*",), "jobs run on ECS, never on EKS"),
    Withheld(
        ("AWS::Backup::BackupVault",),
        ("backup-storage:*", "kms:*"),
        "the vault is under AWS's own key",
    ),
    Withheld(("AWS::CertificateManager::Certificate",), ("acm-pca:*",), "certificates are public ones"),
    Withheld(
        ("AWS::CertificateManager::Certificate",),
        ("route53:*",),
        "no zone of the account proves the domain",
        ("HostedZoneId",),
    ),
    Withheld(("AWS::EC2::EIP",), ("ec2:AcceptAddressTransfer",), "addresses are new", ("TransferAddress",)),
    Withheld(("AWS::EC2::EIP",), ("ec2:AssociateAddress",), "what uses an address takes it", ("InstanceId",)),
    Withheld(
        ("AWS::EC2::FlowLog",),
        ("iam:CreateServiceLinkedRole", "logs:*LogDelivery", "s3:*BucketPolicy"),
        "flow logs go to CloudWatch Logs by a role",
        ("LogDestination",),
    ),
    Withheld(
        ("AWS::EC2::Instance",),
        ("ssm:CreateAssociation", "ssm:DeleteAssociation"),
        "no document is associated with instances",
    ),
    Withheld(
        ("AWS::EC2::NatGateway",),
        ("ec2:*NatGatewayAddress",),
        "gateways have one address, which never changes",
    ),
    Withheld(
        ("AWS::EC2::VPC",),
        ("ec2:CreateVpcEncryptionControl",),
        "encryption between instances is not controlled",
        ("VpcEncryptionControl",),
    ),
    Withheld(
        ("AWS::EC2::VPCEndpoint",),
        ("vpc-lattice:*",),
        "endpoints are those of services, never of VPC Lattice",
    ),
    Withheld(("AWS::EC2::VPCEndpoint",), ("vpce:AllowMultiRegion",), "endpoints are of the same region"),
    Withheld(
        ("AWS::EC2::VPCGatewayAttachment",),
        ("ec2:*VpnGateway",),
        "the gateway is the internet's",
        ("VpnGatewayId",),
    ),
    Withheld(("AWS::EC2::Volume",), ("ec2:CopyVolumes",), "volumes are new", ("SourceVolumeId",)),
    Withheld(("AWS::EC2::Volume",), ("kms:ReEncrypt*",), "volumes are new"),
    Withheld(("AWS::EC2::Volume",), ("kms:*",), "volumes are under AWS's own key", ("KmsKeyId",)),
    Withheld(("AWS::ECR::Repository",), ("kms:*",), "images are under AWS's own key", ("KmsKey",)),
    Withheld(
        ("AWS::ECS::CapacityProvider",),
        ("iam:PassRole",),
        "the provider is an Auto Scaling group",
        ("ManagedInstancesProvider",),
    ),
    Withheld(
        ("AWS::ECS::Cluster",),
        ("kms:DescribeKey",),
        "the cluster has no key",
        ("FargateEphemeralStorageKmsKeyId", "KmsKeyId"),
    ),
    Withheld(
        ("AWS::EFS::FileSystem",),
        ("elasticfilesystem:CreateReplicationConfiguration", "iam:PassRole"),
        "the file system has no copy",
        ("ReplicationConfiguration",),
    ),
    Withheld(("AWS::EFS::FileSystem",), ("kms:*",), "files are under AWS's own key", ("KmsKeyId",)),
    Withheld(
        ("AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule"),
        ("cognito-idp:*",),
        "nobody logs in by Cognito",
        ("AuthenticateCognitoConfig",),
    ),
    Withheld(
        ("AWS::ElasticLoadBalancingV2::TargetGroup",),
        ("elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"),
        "ECS registers its tasks itself",
        ("Targets",),
    ),
    Withheld(
        ("AWS::Logs::LogGroup",),
        ("firehose:TagDeliveryStream", "logs:CreateLogDelivery"),
        "findings of data protection go nowhere else",
    ),
    Withheld(("AWS::Logs::LogGroup",), ("s3:REST.PUT.OBJECT",), _UNKNOWN),
    Withheld(
        ("AWS::Logs::LogGroup",),
        ("logs:DeleteIndexPolicy", "logs:PutIndexPolicy"),
        "no index is declared, and these reach every log group",
        ("FieldIndexPolicies",),
    ),
    Withheld(
        ("AWS::Logs::LogGroup",),
        ("logs:DeleteResourcePolicy", "logs:PutResourcePolicy"),
        "no policy of a log group is declared, and these reach every one of the account",
        ("ResourcePolicyDocument",),
    ),
    Withheld(("AWS::Logs::SubscriptionFilter",), ("iam:PassRole",), "no stream receives", ("RoleArn",)),
    Withheld(
        ("AWS::S3::Bucket",),
        ("iam:PassRole", "s3:PutReplicationConfiguration"),
        "a bucket without a copy cannot be copied elsewhere",
        ("ReplicationConfiguration",),
    ),
    Withheld(
        ("AWS::S3::Bucket",), ("s3:PutBucketAcl",), "buckets have policies, no lists", ("AccessControl",)
    ),
    Withheld(
        ("AWS::S3::Bucket",),
        (
            "s3:CreateBucketMetadata*",
            "s3:DeleteBucketMetadata*",
            "s3:UpdateBucketMetadata*",
            "s3tables:*",
        ),
        "no table of metadata is declared",
    ),
    Withheld(
        ("AWS::S3::Bucket",),
        (
            "s3:DeleteBucketAnalyticsConfiguration",
            "s3:DeleteBucketCors",
            "s3:DeleteBucketEncryption",
            "s3:DeleteBucketLifecycle",
            "s3:DeleteBucketMetricsConfiguration",
            "s3:DeleteBucketReplication",
            "s3:PutBucketReplication",
            "s3:PutObjectLockConfiguration",
        ),
        f"{_UNKNOWN}; whoever may put such a setting may also take it away",
    ),
    Withheld(("AWS::SNS::Subscription",), ("iam:*",), "no stream subscribes", ("SubscriptionRoleArn",)),
    Withheld(("AWS::SNS::Topic",), ("iam:*",), "deliveries are not logged", ("DeliveryStatusLogging",)),
    Withheld(
        ("AWS::ServiceDiscovery::PrivateDnsNamespace",),
        ("route53:ChangeResourceRecordSets",),
        "the zone's own record stays as Cloud Map makes it",
        ("SOA",),
    ),
    Withheld(
        ("AWS::StepFunctions::StateMachine",),
        ("kms:*",),
        "definitions are under AWS's own key",
        ("KmsKeyId",),
    ),
    Withheld(
        ("AWS::StepFunctions::StateMachine",), ("s3:GetObject*",), "the definition stands in the template"
    ),
    Withheld(("AWS::WAFv2::WebACL",), ("payments:*",), "no rules are bought"),
    Withheld(
        ("AWS::WAFv2::WebACLAssociation",),
        (
            "amplify:*",
            "apigateway:*",
            "apprunner:*",
            "appsync:*",
            "bedrock-agentcore:*",
            "cognito-idp:*",
            "ec2:*",
            "wafv2:*PermissionPolicy",
        ),
        "it stands before load balancers alone",
    ),
)

_UNHANDLED = "the registry names no handlers of this type"

ADDED: tuple[Added, ...] = (
    Added(
        "AWS::CloudWatch::AnomalyDetector",
        (
            "cloudwatch:DeleteAnomalyDetector",
            "cloudwatch:DescribeAnomalyDetectors",
            "cloudwatch:PutAnomalyDetector",
        ),
        _UNHANDLED,
    ),
    Added(
        "AWS::ElasticLoadBalancingV2::ListenerCertificate",
        (
            "elasticloadbalancing:AddListenerCertificates",
            "elasticloadbalancing:DescribeListenerCertificates",
            "elasticloadbalancing:RemoveListenerCertificates",
        ),
        _UNHANDLED,
    ),
    Added(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        ("iam:CreateServiceLinkedRole",),
        'the account\'s first one (Elastic Load Balancing user guide, "Service-linked role")',
    ),
    Added(
        "AWS::Scheduler::Schedule",
        ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"),
        'an encrypted schedule is made with its key (EventBridge Scheduler user guide, "Encryption at rest")',
        "KmsKeyArn",
    ),
)

HANDED_TO: dict[str, tuple[str, ...]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("application-autoscaling.amazonaws.com",),
    "AWS::AutoScaling::AutoScalingGroup": ("ec2.amazonaws.com",),
    "AWS::Backup::BackupPlan": ("backup.amazonaws.com",),
    "AWS::Backup::BackupSelection": ("backup.amazonaws.com",),
    "AWS::Batch::ComputeEnvironment": ("batch.amazonaws.com", "ec2.amazonaws.com"),
    "AWS::Batch::JobDefinition": ("ecs-tasks.amazonaws.com",),
    "AWS::EC2::FlowLog": ("vpc-flow-logs.amazonaws.com",),
    "AWS::EC2::Instance": ("ec2.amazonaws.com",),
    "AWS::ECS::CapacityProvider": ("ec2.amazonaws.com", "ecs.amazonaws.com"),
    "AWS::ECS::Service": ("ecs.amazonaws.com",),
    "AWS::ECS::TaskDefinition": ("ecs-tasks.amazonaws.com",),
    "AWS::EFS::FileSystem": ("elasticfilesystem.amazonaws.com",),
    "AWS::Events::Rule": ("events.amazonaws.com",),
    "AWS::IAM::InstanceProfile": ("ec2.amazonaws.com",),
    "AWS::Logs::SubscriptionFilter": ("logs.amazonaws.com",),
    "AWS::S3::Bucket": ("s3.amazonaws.com",),
    "AWS::SNS::Subscription": ("sns.amazonaws.com",),
    "AWS::SNS::Topic": ("sns.amazonaws.com",),
    "AWS::Scheduler::Schedule": ("scheduler.amazonaws.com",),
    "AWS::StepFunctions::StateMachine": ("states.amazonaws.com",),
}
"""The services to which resources of a type hand roles: those that assume them, by their user guides."""

LINKED: dict[str, tuple[str, ...]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("ecs.application-autoscaling.amazonaws.com",),
    "AWS::AutoScaling::AutoScalingGroup": ("autoscaling.amazonaws.com", "spot.amazonaws.com"),
    "AWS::Backup::BackupSelection": ("backup.amazonaws.com",),
    "AWS::Batch::ComputeEnvironment": ("batch.amazonaws.com", "spot.amazonaws.com"),
    "AWS::EC2::FlowLog": ("delivery.logs.amazonaws.com",),
    "AWS::ECS::CapacityProvider": ("ecs.amazonaws.com",),
    "AWS::ECS::Cluster": ("ecs.amazonaws.com",),
    "AWS::EFS::FileSystem": ("elasticfilesystem.amazonaws.com",),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("elasticloadbalancing.amazonaws.com",),
}
"""The services that make a role of their own for an account's first resource of a type."""

PART_OF: dict[str, str] = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::EC2::EIPAssociation": "AWS::EC2::EIP",
    "AWS::EC2::Route": "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroupEgress": "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress": "AWS::EC2::SecurityGroup",
    "AWS::EC2::SubnetRouteTableAssociation": "AWS::EC2::RouteTable",
    "AWS::EC2::VPCGatewayAttachment": "AWS::EC2::InternetGateway",
    "AWS::EC2::VolumeAttachment": "AWS::EC2::Volume",
    "AWS::EFS::MountTarget": "AWS::EFS::FileSystem",
    "AWS::ElasticLoadBalancingV2::ListenerCertificate": "AWS::ElasticLoadBalancingV2::Listener",
}
"""What a type without tags is a part of: another resource, which is complete and tagged by then."""
