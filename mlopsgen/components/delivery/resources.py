"""`spec.delivery`: the role that a workflow assumes, and the role with which CloudFormation then deploys.

The workflow's own role can push images and hand templates to CloudFormation. What the templates may do is
decided by CloudFormation's role: this environment's resources, and roles inside a boundary. Neither can
change the two roles or the boundary: that takes an administrator.
"""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref, iam

from mlopsgen.components.delivery.boundary import declare_boundary
from mlopsgen.components.delivery.duration import LONGEST_JOB, duration, session
from mlopsgen.components.delivery.spec import CompilerSpec, GithubSpec
from mlopsgen.components.delivery.stack_rights import public_parameters
from mlopsgen.components.jobs.runs import cluster_arn, job_spec, may_run
from mlopsgen.language.values import MINUTE
from mlopsgen.model.binding import Bindings
from mlopsgen.model.plan import Declaration, DeliveryWorkflow, Grant, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.model.values import Value
from mlopsgen.parts.objects import sees_pointer, versions
from mlopsgen.parts.policies import arn, keep_apart, own_tags
from mlopsgen.parts.resource import Scope, output
from mlopsgen.parts.roles import (
    Role,
    declare_role,
    pass_role,
    role_arn,
    role_path,
    trust_oidc,
)
from mlopsgen.parts.task import followed_models

STACK = "access"
ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
RECORDS = "delivery"
"""Where in the environment's parameters the workflow notes what it built: no stack has this name."""


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """GitHub Actions may deploy this environment from one branch, and do nothing else."""
    delivery = site.spec.delivery
    if not site.delivers or delivery is None or delivery.github is None:
        return
    github = delivery.github
    scope = Scope(site, STACK, ("spec", "delivery", "github"))
    yield StackDescription(STACK, "who may deploy, and what its roles can have at most")
    if github.oidc_provider == "create":
        yield scope.at("oidcProvider").resource(_provider())
    if not site.spec.aws.permissions_boundary:
        yield declare_boundary(scope, bindings)
    yield from _delivery_role(scope, delivery.branch, github)
    yield DeliveryWorkflow(
        repository=github.repository,
        branch=delivery.branch,
        role_name=site.delivery_role,
        stack_role_name=site.stack_role,
        role_path=role_path(site, STACK),
        stages=tuple((each.name, each.approval) for each in delivery.stages),
        minutes=min(duration(site), LONGEST_JOB) // MINUTE,
        session=session(site),
        trains=delivery.first_model == "train",
        folder=delivery.working_directory or "",
        requirement=delivery.compiler.requirement if delivery.compiler else None,
        archive=_archive(delivery.compiler),
        lock=delivery.compiler.lock if delivery.compiler else None,
    )


def _archive(compiler: CompilerSpec | None) -> tuple[str, str] | None:
    found = compiler.archive if compiler else None
    return (found.url, found.sha256) if found else None


def subjects(github: GithubSpec, environment: str) -> list[str]:
    """The `sub` of tokens of a job in GitHub's environment of the same name.

    Repositories created or renamed since 15 July 2026 send their numbers with the names (GitHub changelog,
    "Immutable subject claims for GitHub Actions OIDC tokens"); older ones can change over, so both are taken.
    """
    forms = [github.repository]
    if github.ids:
        owner, name = github.repository.split("/")
        forms.append(f"{owner}@{github.ids.owner}/{name}@{github.ids.repository}")
    return [f"repo:{form}:environment:{environment}" for form in forms]


def _provider() -> iam.OIDCProvider:
    """The account's one trust in GitHub; others may come to use it, so it stays when the stack goes."""
    return iam.OIDCProvider(
        "GithubProvider",
        Url=f"https://{ISSUER}",
        ClientIdList=[AUDIENCE],
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
    )


def _delivery_role(scope: Scope, branch: str, github: GithubSpec) -> Iterator[Declaration]:
    site = scope.site
    provider: Value = arn("iam", f"oidc-provider/{ISSUER}")
    if github.oidc_provider == "create":
        provider = Ref("GithubProvider")
    claims: dict[str, str | list[str]] = {
        "aud": AUDIENCE,
        "sub": subjects(github, site.environment),
        # STS checks this claim of GitHub's besides the subject, which names the environment and no branch
        # (IAM user guide, "Available keys for AWS OIDC federation").
        "ref": f"refs/heads/{branch}",
    }
    yield from declare_role(
        scope,
        Role(
            logical_id="DeliveryRole",
            name="delivery workflow",
            kind="delivery",
            trust=trust_oidc(provider, ISSUER, claims),
            grants=tuple(_delivery_grants(site)),
            description=f"GitHub Actions of {github.repository}: pushes the images and deploys {site.prefix}",
            # Longer rollouts need no administrator: `access` stays as it is.
            max_session=LONGEST_JOB,
            role_name=site.delivery_role,
            deploys=True,
        ),
    )
    yield output(
        STACK, "DeliveryRoleArn", GetAtt("DeliveryRole", "Arn"), "The role that the workflow assumes"
    )


def _first_models(site: Site) -> Iterator[Grant]:
    """Look whether the models that services follow have a version, and train those that have none."""
    followed = {name for each in site.workloads for name in followed_models(site, each)}
    for name in sorted(followed):
        yield sees_pointer(versions(site, site.model(name)))
    delivery = site.spec.delivery
    if delivery is None or delivery.first_model != "train":
        return
    jobs = [each for each in site.jobs if followed & set(job_spec(each).produces)]
    if jobs:
        roles = [arn("iam", f"role{role_path(site, each.stack)}*") for each in jobs]
        yield from may_run(site, [each.name for each in jobs], roles, "trains the first version of models")
        yield Grant(
            ("ecs:DescribeTasks",),
            (arn("ecs", f"task/{site.cluster}/*"),),
            "waits for trainings",
            (("ArnEquals", "ecs:cluster", cluster_arn(site)),),
        )


def _earlier_stages(site: Site) -> list[str]:
    """The environments before this one; those of another account or region have no such repository here."""
    stages = [each.name for each in site.spec.delivery.stages] if site.spec.delivery else []
    return stages[: stages.index(site.environment)] if site.environment in stages else []


def _balancers(site: Site) -> Iterator[Grant]:
    """`deploy.sh` looks whether a balancer may go, and lifts its protection (`--prune`, `--destroy`)."""
    # The service authorization reference of Elastic Load Balancing V2 gives the two Describe actions no type
    # of resource.
    yield Grant(
        ("elasticloadbalancing:DescribeLoadBalancerAttributes",),
        ("*",),
        "looks whether load balancers are protected against deletion",
        reason="AWS has no narrower resource for looking at load balancers",
    )
    yield Grant(
        ("elasticloadbalancing:ModifyLoadBalancerAttributes",),
        (arn("elasticloadbalancing", "loadbalancer/app/*"),),
        "deletes load balancers that the pipeline no longer has",
        own_tags(site),
    )
    yield Grant(
        ("elasticloadbalancing:DescribeRules",),
        ("*",),
        "reads the weights that ECS has moved",
        reason="AWS has no narrower resource for looking at rules",
    )


def _pools(site: Site) -> Iterator[Grant]:
    """`deploy.sh` looks whether anything runs on a pool that the pipeline no longer has."""
    in_cluster = ("ArnEquals", "ecs:cluster", cluster_arn(site))
    # The service authorization reference of Amazon ECS gives this action no type of resource.
    yield Grant(
        ("ecs:ListServices",),
        ("*",),
        "looks for services on pools that the pipeline no longer has",
        (in_cluster,),
        reason="services are listed by cluster; AWS has no narrower resource",
    )
    yield Grant(
        ("ecs:DescribeServices",),
        (arn("ecs", f"service/{site.cluster}/*"),),
        "looks for services on pools that the pipeline no longer has",
    )
    yield Grant(
        ("ecs:ListContainerInstances",),
        (cluster_arn(site),),
        "looks for instances of pools that the pipeline no longer has",
    )
    yield Grant(
        ("ecs:DescribeContainerInstances",),
        (arn("ecs", f"container-instance/{site.cluster}/*"),),
        "looks for instances of pools that the pipeline no longer has",
        (in_cluster,),
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
        (arn("ecr", f"repository/{site.prefix}/*"),),
        "pushes images, built here or copied",
    )
    if earlier := _earlier_stages(site):
        yield Grant(
            (
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:DescribeImages",
                "ecr:GetDownloadUrlForLayer",
            ),
            tuple(arn("ecr", f"repository/{site.name}-{each}/*") for each in earlier),
            "pushes images, built here or copied",
        )
    yield Grant(
        ("ssm:PutParameter",),
        (arn("ssm", f"parameter/{site.prefix}/{RECORDS}/*"),),
        "notes which images it built, and of what",
    )
    stacks = (arn("cloudformation", f"stack/{site.prefix}-*/*"),)
    role = role_arn("StackRole")
    yield Grant(
        ("cloudformation:CreateChangeSet",),
        stacks,
        "deploys stacks with CloudFormation's role",
        (("StringEquals", "cloudformation:RoleArn", role),),
    )
    yield Grant(
        ("cloudformation:DeleteStack",),
        stacks,
        "deletes stacks whose first creation failed, and those that the pipeline no longer has",
        (("StringEquals", "cloudformation:RoleArn", role),),
    )
    yield Grant(
        ("cloudformation:ListStacks",),
        ("*",),
        "looks for stacks that the pipeline no longer has",
        reason="stacks are listed by account and region; AWS has no narrower resource",
    )
    yield Grant(
        (
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeEvents",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResources",
            "cloudformation:DescribeStacks",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate",
            "cloudformation:ListStackResources",
            "cloudformation:SetStackPolicy",
            "cloudformation:UpdateTerminationProtection",
        ),
        stacks,
        "deploys stacks",
    )
    yield keep_apart(("cloudformation",), site.name)
    yield Grant(
        ("cloudformation:GetTemplateSummary", "cloudformation:ValidateTemplate"),
        ("*",),
        "checks templates",
        reason="a template that is not deployed yet has no ARN",
    )
    yield pass_role((role,), "cloudformation.amazonaws.com", "deploys stacks with CloudFormation's role")
    yield Grant(
        ("ssm:GetParameter", "ssm:GetParameters"),
        (arn("ssm", f"parameter/{site.prefix}/*"),),
        "reads values between stacks",
    )
    yield public_parameters()
    yield from _balancers(site)
    yield from _pools(site)
    yield from _first_models(site)
