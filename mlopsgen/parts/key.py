"""The pipeline's own encryption key, for whatever stores something; nothing where AWS manages the keys."""

from __future__ import annotations

from troposphere import Sub

from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Published, Value
from mlopsgen.parts.policies import arn

KEY_ARN = Published("foundation", "foundation/key-arn", "String", "The pipeline's key")


def key_arn(site: Site) -> Published | None:
    """The key's ARN; None if AWS manages the keys."""
    return KEY_ARN if site.owns_key else None


def use_key(site: Site, actions: tuple[str, ...], service: str, because: str) -> tuple[Grant, ...]:
    """The use of the key through one service alone, such as `s3`; nothing if AWS manages the keys."""
    if not site.owns_key:
        return ()
    return (Grant(actions, (KEY_ARN,), because, (via(service),)),)


def decrypt_what_is_stored(site: Site, because: str, service: str | None = None) -> Grant:
    """Decrypt with every key that this environment has or had, through one service alone if it is named.

    What was stored stays under the key that it was stored with, whatever `encryption` says today (Amazon S3
    user guide, "Setting default server-side encryption behavior"). The keys are told by their tags, which one
    that left its stack keeps (AWS KMS developer guide, "Use tags to control access to KMS keys").
    """
    tags = {"environment": site.environment, "pipeline": site.name}
    own = tuple(
        ("StringEquals", f"aws:ResourceTag/mlopsgen:{name}", value) for name, value in sorted(tags.items())
    )
    condition = (*own, via(service)) if service else own
    return Grant(("kms:Decrypt",), (arn("kms", "key/*"),), because, condition)


def via(service: str) -> tuple[str, str, Value]:
    """The condition that a key is used through a service, such as `sqs`, of this region alone."""
    return "StringEquals", "kms:ViaService", Sub(f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}")
