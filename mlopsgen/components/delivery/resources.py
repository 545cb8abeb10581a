"""`spec.delivery`: the role that a workflow assumes, and the role with which CloudFormation then deploys.

The workflow's own role can push images and hand templates to CloudFormation. What the templates may do is
decided by CloudFormation's role: this environment's resources, and roles inside a boundary. Neither can
change the two roles or the boundary: that takes an administrator.
"""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref
from troposphere import iam as aws_iam

from mlopsgen import iam
from mlopsgen.aws import deployment
from mlopsgen.components.base import Component, Site
from mlopsgen.components.registry import others
from mlopsgen.components.wiring import KEY_ARN, take
from mlopsgen.plan import Command, Grant, Output, Part, Resource, Value, Workflow
from mlopsgen.spec.delivery import GithubSpec

STACK = "access"
ORIGIN = ("spec", "delivery", "github")
ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"

# A deployment with a slow rollback outlasts the usual hour.
_SESSION = 2 * 3600


class Delivery(Component):
    """GitHub Actions may deploy this environment from one branch, and do nothing else."""

    def declare(self, site: Site) -> Iterator[Part]:
        github = site.github
        if not github:
            return
        if github.oidc_provider == "create":
            yield from _provider()
        if not site.spec.aws.permissions_boundary:
            yield from _boundary(site)
        yield from _stack_role(site)
        yield from _delivery_role(site, github)
        yield Workflow(
            repository=github.repository,
            branch=github.branch,
            role_name=site.delivery_role,
            stack_role_name=site.stack_role,
            role_path=iam.role_path(site, STACK),
            environments=github.environments,
        )
        yield _command(site, github)


def subjects(github: GithubSpec, environment: str) -> list[str]:
    """The `sub` of tokens of a job in GitHub's environment of the same name.

    Repositories created or renamed since 15 July 2026 send their numbers with the names (GitHub changelog,
    "Immutable subject claims for GitHub Actions OIDC tokens"); older ones can change over, so both are taken.
    """
    forms = [github.repository]
    if github.owner_id and github.repository_id:
        owner, name = github.repository.split("/")
        forms.append(f"{owner}@{github.owner_id}/{name}@{github.repository_id}")
    return [f"repo:{form}:environment:{environment}" for form in forms]


def _command(site: Site, github: GithubSpec) -> Command:
    account = '"$(aws sts get-caller-identity --query Account --output text)"'
    environment, repository = site.environment, github.repository
    lines = [
        "mkdir -p .github/workflows && cp generated/ci/deploy.yml .github/workflows/deploy.yml",
        f"gh api --method PUT repos/{repository}/environments/{environment}",
    ]
    if not site.spec.aws.account:
        variable = f"gh variable set AWS_ACCOUNT_ID --repo {repository} --env {environment}"
        lines.append(f"{variable} --body {account}")
    return Command("Delivery", f"Let GitHub deliver to {environment}", tuple(lines))


def _provider() -> Iterator[Part]:
    """The account's one trust in GitHub; others may come to use it, so it stays when the stack goes."""
    provider = aws_iam.OIDCProvider(
        "GithubProvider",
        Url=f"https://{ISSUER}",
        ClientIdList=[AUDIENCE],
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
    )
    yield Resource(STACK, "GithubProvider", provider, (*ORIGIN, "oidcProvider"))


def _delivery_role(site: Site, github: GithubSpec) -> Iterator[Part]:
    provider: Value = iam.arn("iam", f"oidc-provider/{ISSUER}")
    if github.oidc_provider == "create":
        provider = Ref("GithubProvider")
    claims: dict[str, str | list[str]] = {
        "aud": AUDIENCE,
        "sub": subjects(github, site.environment),
        # STS checks this claim of GitHub's besides the subject, which names the environment and no branch
        # (IAM user guide, "Available keys for AWS OIDC federation").
        "ref": f"refs/heads/{github.branch}",
    }
    yield from iam.role(
        site,
        stack=STACK,
        logical_id="DeliveryRole",
        name="delivery workflow",
        kind="delivery",
        trust=iam.trust_oidc(provider, ISSUER, claims),
        grants=_delivery_grants(site),
        description=f"GitHub Actions of {github.repository}: pushes the images and deploys {site.prefix}",
        origin=ORIGIN,
        max_session=_SESSION,
        role_name=site.delivery_role,
        deploys=True,
    )
    yield Output(
        STACK, "DeliveryRoleArn", GetAtt("DeliveryRole", "Arn"), "The role that the workflow assumes"
    )


def _delivery_grants(site: Site) -> Iterator[Grant]:
    yield Grant(
        ("ecr:GetAuthorizationToken",),
        ("*",),
        "logs in to the registry",
        reason="the token is for the account's whole registry; AWS has no narrower resource",
    )
    yield Grant(
        (
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImages",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ),
        (iam.arn("ecr", f"repository/{site.prefix}/*"),),
        "pushes images",
    )
    stacks = (iam.arn("cloudformation", f"stack/{site.prefix}-*/*"),)
    role = iam.role_arn("StackRole")
    yield Grant(
        ("cloudformation:CreateChangeSet",),
        stacks,
        "deploys stacks with CloudFormation's role",
        (("StringEquals", "cloudformation:RoleArn", role),),
    )
    yield Grant(
        (
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResources",
            "cloudformation:DescribeStacks",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate",
            "cloudformation:ListStackResources",
        ),
        stacks,
        "deploys stacks",
    )
    yield Grant(
        ("cloudformation:GetTemplateSummary", "cloudformation:ValidateTemplate"),
        ("*",),
        "checks templates",
        reason="a template that is not deployed yet has no ARN",
    )
    yield iam.pass_role((role,), "cloudformation.amazonaws.com", "deploys stacks with CloudFormation's role")
    yield Grant(
        ("ssm:GetParameter", "ssm:GetParameters"),
        (iam.arn("ssm", f"parameter/{site.prefix}/*"),),
        "reads values between stacks",
    )
    yield deployment.public_parameters()
    yield Grant(
        ("ecs:DescribeServices",),
        (iam.arn("ecs", f"service/{site.cluster('serving')}/*"),),
        "waits for services",
    )


def _stack_role(site: Site) -> Iterator[Part]:
    yield from iam.role(
        site,
        stack=STACK,
        logical_id="StackRole",
        name="CloudFormation, for the delivery workflow",
        kind="delivery",
        trust=iam.trust_service("cloudformation.amazonaws.com", site),
        grants=deployment.grants(site),
        description=f"CloudFormation: deploys the stacks of {site.prefix}",
        origin=ORIGIN,
        role_name=site.stack_role,
        deploys=True,
    )
    yield Output(
        STACK, "StackRoleArn", GetAtt("StackRole", "Arn"), "The role that CloudFormation deploys with"
    )


def _boundary(site: Site) -> Iterator[Part]:
    """What the other roles of the environment can have at most. By itself it gives nothing to anybody."""
    key, parameter = take(site, STACK, "KeyArn", KEY_ARN, "String", "The pipeline's key")
    yield parameter
    policy = aws_iam.ManagedPolicy(
        "Boundary",
        ManagedPolicyName=site.boundary,
        Path=iam.role_path(site, STACK),
        Description=f"What the roles of {site.prefix} can have at most",
        PolicyDocument=iam.policy(_bounds(site, key)),
    )
    yield Resource(STACK, "Boundary", policy, ORIGIN)


def _bounds(site: Site, key: Value) -> Iterator[Grant]:
    """Whatever a program, ECS, a schedule or a person may come to need of this environment."""
    buckets = (iam.arn("s3", site.data_bucket), iam.arn("s3", site.log_bucket))
    objects = tuple(iam.arn("s3", f"{name}/*") for name in (site.data_bucket, site.log_bucket))
    yield Grant(
        ("s3:AbortMultipartUpload", "s3:Get*", "s3:List*", "s3:PutObject*"), buckets + objects, "data"
    )
    yield Grant(("s3:DeleteObject",), objects, "data, whose old versions are kept")
    yield Grant(("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"), (key,), "key")
    groups = (
        iam.arn("logs", f"log-group:/{site.prefix}/*"),
        iam.arn("logs", f"log-group:/aws/ecs/containerinsights/{site.prefix}-*"),
    )
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
        groups,
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
        (iam.arn("ecr", f"repository/{site.prefix}/*"), *others(site)),
        "images",
    )
    kinds = ("cluster", "container-instance", "service", "service-deployment", "service-revision", "task")
    yield Grant(
        ("ecs:*",),
        (
            *(iam.arn("ecs", f"{kind}/{site.prefix}-*") for kind in kinds),
            iam.arn("ecs", f"task-definition/{site.prefix}-*:*"),
        ),
        "clusters, services and tasks",
    )
    own_roles = iam.arn("iam", f"role{site.role_path}*")
    services = ("ecs-tasks.amazonaws.com", "ecs.amazonaws.com")
    yield Grant(
        ("iam:PassRole",), (own_roles,), "roles", (("StringEquals", "iam:PassedToService", services),)
    )
    yield Grant(
        ("sns:Publish", "sqs:GetQueue*", "sqs:ReceiveMessage", "sqs:SendMessage"),
        (iam.arn("sns", f"{site.prefix}-*"), iam.arn("sqs", f"{site.prefix}-*")),
        "alarms and dead letters",
    )
    yield Grant(
        ("secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters"),
        (iam.arn("secretsmanager", "secret:*"), iam.arn("ssm", "parameter/*")),
        "secrets",
    )
    yield Grant(
        (
            "elasticloadbalancing:DeregisterTargets",
            "elasticloadbalancing:Modify*",
            "elasticloadbalancing:Register*",
        ),
        (iam.arn("elasticloadbalancing", "*"),),
        "traffic shifts",
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
            "ecs:RegisterTaskDefinition",
            "elasticloadbalancing:Describe*",
            "logs:Describe*",
            "ssmmessages:*",
        ),
        ("*",),
        "look-ups",
        reason="these actions take no resource; the boundary gives none of them",
    )
