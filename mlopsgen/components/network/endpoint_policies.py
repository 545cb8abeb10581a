"""What may pass through the VPC's endpoints: what this account's own roles ask for.

Where no other way leads out, a program with credentials that somebody smuggled in could otherwise carry data
to an account of theirs.
"""

from __future__ import annotations

from troposphere import Ref, Sub

from mlopsgen.model.site import Site
from mlopsgen.model.values import Body
from mlopsgen.parts.network import vpc
from mlopsgen.parts.policies import VERSION

_SERVICES = {
    "ecr.api": "ecr",
    "ecr.dkr": "ecr",
    "elasticfilesystem": "elasticfilesystem",
    "kms": "kms",
    "logs": "logs",
    "s3": "s3",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
}
"""The endpoints of which AWS documents that they take a policy, and what its actions start with (the sections
on VPC endpoints in the user guides of these services). Of those of ECS's agent nothing is documented."""


def endpoint_policy(site: Site, service: str) -> dict[str, Body] | None:
    """The policy of an interface endpoint, if the service takes one."""
    name = _SERVICES.get(service)
    if name is None:
        return None
    return _document(_own_account(name), *(_of_s3(site) if service == "s3" else ()))


def gateway_policy(site: Site) -> dict[str, Body]:
    """The policy of S3's gateway, which stands in every VPC; beside NAT it shuts nothing.

    It is written down even so: without a policy in the template, an endpoint may keep the one that it had.
    """
    if _has_nat(site):
        return _document(_allow("Everybody", "*", "*"))
    return _document(_own_account("s3"), *_of_s3(site))


def _of_s3(site: Site) -> tuple[dict[str, Body], ...]:
    """What comes out of S3 with other credentials than the account's, or with none."""
    # Amazon ECR user guide, "Minimum Amazon S3 bucket permissions for Amazon ECR".
    found = [_reads("ImageLayers", "prod-${AWS::Region}-starport-layer-bucket")]
    if any(each.on_instances for each in site.workloads):
        # Amazon Linux 2023 user guide, "Deterministic upgrades through versioned repositories".
        found.append(_reads("PackagesOfInstances", "al2023-repos-${AWS::Region}-de612dc2"))
    if _has_nat(site):
        # S3's name leads every task to the interface, also those that may connect to anybody.
        found.append(_allow("ReadsOfOthers", ["s3:GetObject", "s3:ListBucket"], "*"))
    return tuple(found)


def _has_nat(site: Site) -> bool:
    spec = vpc(site)
    return spec is not None and spec.nat_gateways != "none"


def _own_account(service: str) -> dict[str, Body]:
    condition: Body = {"StringEquals": {"aws:PrincipalAccount": Ref("AWS::AccountId")}}
    return {**_allow("OwnAccount", f"{service}:*", "*"), "Condition": condition}


def _reads(sid: str, bucket: str) -> dict[str, Body]:
    return _allow(sid, "s3:GetObject", Sub(f"arn:${{AWS::Partition}}:s3:::{bucket}/*"))


def _allow(sid: str, action: Body, resource: Body) -> dict[str, Body]:
    return {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}


def _document(*statements: dict[str, Body]) -> dict[str, Body]:
    return {"Version": VERSION, "Statement": list(statements)}
