"""The pipeline's own encryption key, for whatever stores something; nothing where AWS manages the keys."""

from __future__ import annotations

from troposphere import Sub

from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Published

KEY_ARN = Published("foundation", "foundation/key-arn", "String", "The pipeline's key")


def key_arn(site: Site) -> Published | None:
    """The key's ARN; None if AWS manages the keys."""
    return KEY_ARN if site.owns_key else None


def use_key(site: Site, actions: tuple[str, ...], service: str, because: str) -> tuple[Grant, ...]:
    """The use of the key through one service alone, such as `s3`; nothing if AWS manages the keys."""
    if not site.owns_key:
        return ()
    via = Sub(f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}")
    return (Grant(actions, (KEY_ARN,), because, (("StringEquals", "kms:ViaService", via),)),)
