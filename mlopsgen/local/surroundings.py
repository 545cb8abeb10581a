"""What a pipeline takes as given - a network, certificates - made up in the embedded AWS of this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


def provide(environment: Path, region: str) -> None:
    """Let everything exist that the templates in `environment` name and no stack makes.

    Must run in the process of the embedded AWS: no API gives a new VPC or certificate a wanted name.
    """
    text = "".join(path.read_text("utf-8") for path in sorted(environment.glob("stacks/*.yaml")))
    _certificates(re.findall(r"\barn:[a-z-]+:acm:[a-z0-9-]+:\d{12}:certificate/[\w-]+", text), region)
    _network(
        re.findall(r"\bvpc-[0-9a-f]{8,17}\b", text), re.findall(r"\bsubnet-[0-9a-f]{8,17}\b", text), region
    )


def _certificates(arns: list[str], region: str) -> None:
    if not arns:
        return
    from moto.acm.models import CertBundle, acm_backends
    from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT

    backend = acm_backends[ACCOUNT][region]
    for arn in arns:
        if arn not in backend._certificates:
            bundle = CertBundle.generate_cert("rehearsal.example.com", ACCOUNT, region=region)
            bundle.arn = arn
            backend._certificates[arn] = bundle


def _network(vpcs: list[str], subnets: list[str], region: str) -> None:
    if not vpcs:
        return
    from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
    from moto.ec2.models import ec2_backends
    from moto.ec2.models import subnets as subnet_module
    from moto.ec2.models import vpcs as vpc_module

    backend = ec2_backends[ACCOUNT][region]
    zones = [f"{region}{letter}" for letter in "ab"]
    for vpc in dict.fromkeys(vpcs):
        if vpc in backend.vpcs:
            continue
        with _named(vpc_module, "random_vpc_id", vpc):
            backend.create_vpc("10.0.0.0/16")
        for number, subnet in enumerate(dict.fromkeys(subnets)):
            with _named(subnet_module, "random_subnet_id", subnet):
                backend.create_subnet(vpc, f"10.0.{number}.0/24", availability_zone=zones[number % 2])


@contextmanager
def _named(module: ModuleType, function: str, name: str) -> Iterator[None]:
    """What `module` makes in the meantime is called `name`."""
    usual: Callable[[], str] = getattr(module, function)
    setattr(module, function, lambda: name)
    try:
        yield
    finally:
        setattr(module, function, usual)
