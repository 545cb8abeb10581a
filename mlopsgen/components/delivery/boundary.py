"""What the roles of a delivered environment can have at most. By itself it gives nothing to anybody."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import iam

from mlopsgen.model.binding import Bindings, contributed
from mlopsgen.model.plan import Grant, Resource
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body
from mlopsgen.parts.key import decrypt_what_is_stored, key_arn
from mlopsgen.parts.policies import MAX_MANAGED, arn, fitting, keep_apart, own_tags, policy, size
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.roles import role_path


def declare_boundary(scope: Scope, bindings: Bindings) -> Resource:
    """The policy that every other role of the environment carries."""
    site = scope.site
    return scope.resource(
        iam.ManagedPolicy(
            "Boundary",
            ManagedPolicyName=site.boundary,
            Path=role_path(site, scope.stack),
            Description=f"What the roles of {site.prefix} can have at most",
            PolicyDocument=_document(site, bindings),
        )
    )


def _document(site: Site, bindings: Bindings) -> dict[str, Body]:
    """What all of them may need, and what workloads need beside, because of what they name."""
    contributions = contributed(bindings, "boundary")
    fixed = (*_bounds(site), *(each.grant for each in contributions if not each.named))
    names = (each.grant for each in contributions if each.named)
    return policy((*fixed, *fitting(names, MAX_MANAGED - size(policy(fixed)))))


def _bounds(site: Site) -> Iterator[Grant]:
    """Whatever a program, ECS, a schedule or a person may come to need of this environment."""
    yield from _data(site)
    yield from _containers(site)
    yield Grant(
        ("sns:Publish", "sqs:GetQueue*", "sqs:ReceiveMessage", "sqs:SendMessage"),
        (arn("sns", f"{site.prefix}-*"), arn("sqs", f"{site.prefix}-*")),
        "alarms and dead letters",
    )
    yield keep_apart(("ecs", "sns", "sqs"), site.name)
    yield Grant(
        ("ssm:GetParameter", "ssm:GetParameters"),
        (arn("ssm", f"parameter/{site.prefix}/*"),),
        "values of stacks",
    )
    yield Grant(
        (
            "elasticloadbalancing:DeregisterTargets",
            "elasticloadbalancing:Modify*",
            "elasticloadbalancing:Register*",
        ),
        (arn("elasticloadbalancing", "*"),),
        "traffic shifts",
        own_tags(site),
    )
    yield Grant(
        (
            "cloudwatch:Describe*",
            "cloudwatch:Get*",
            "cloudwatch:List*",
            "cloudwatch:PutMetricData",
            "ecr:GetAuthorizationToken",
            "ecs:DescribeTaskDefinition",
            "ecs:DiscoverPollEndpoint",
            "ecs:List*",
            "elasticloadbalancing:Describe*",
            "logs:Describe*",
        ),
        ("*",),
        "look-ups",
        reason="these actions take no resource; the boundary gives none of them",
    )


def _data(site: Site) -> Iterator[Grant]:
    names = [each.physical for each in site.buckets]
    if any(each.spec.access_logs.enabled for each in site.buckets):
        names.append(site.log_bucket)
    buckets = tuple(arn("s3", name) for name in names)
    objects = tuple(arn("s3", f"{name}/*") for name in names)
    if names:
        actions = ("s3:AbortMultipartUpload", "s3:Get*", "s3:List*", "s3:PutObject*")
        yield Grant(actions, buckets + objects, "data")
        yield Grant(("s3:DeleteObject",), objects, "data, whose old versions are kept")
    if key := key_arn(site):
        actions = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*")
        yield Grant(actions, (key,), "key")
    yield decrypt_what_is_stored(site, "what a key that was here before encrypted")


def _containers(site: Site) -> Iterator[Grant]:
    yield Grant(
        (
            "logs:CreateLogStream",
            "logs:Describe*",
            "logs:Filter*",
            "logs:Get*",
            "logs:PutLogEvents",
            "logs:StartLiveTail",
            "logs:StartQuery",
        ),
        (
            arn("logs", f"log-group:/{site.prefix}/*"),
            arn("logs", f"log-group:/aws/ecs/containerinsights/{site.cluster}/*"),
        ),
        "logs",
    )
    yield Grant(
        (
            "ecr:BatchCheck*",
            "ecr:BatchGet*",
            "ecr:CompleteLayerUpload",
            "ecr:Describe*",
            "ecr:Get*",
            "ecr:InitiateLayerUpload",
            "ecr:List*",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ),
        (arn("ecr", f"repository/{site.prefix}/*"),),
        "images",
    )
    kinds = ("container-instance", "service", "service-deployment", "service-revision", "task")
    yield Grant(
        ("ecs:*",),
        (
            arn("ecs", f"cluster/{site.cluster}"),
            *(arn("ecs", f"{kind}/{site.cluster}/*") for kind in kinds),
            arn("ecs", f"task-definition/{site.prefix}-*:*"),
        ),
        "cluster, services and tasks",
    )
    services = ("ecs-tasks.amazonaws.com", "ecs.amazonaws.com")
    yield Grant(
        ("iam:PassRole",),
        (arn("iam", f"role{site.role_path}*"),),
        "roles",
        (("StringEquals", "iam:PassedToService", services),),
    )
