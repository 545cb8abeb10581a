"""The types of what JSON and YAML hold: finished templates, policies, task definitions, manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Required, TypeAlias, TypedDict

Document: TypeAlias = bool | int | float | str | list["Document"] | dict[str, "Document"] | None
"""A value that is there to be written."""

Read: TypeAlias = bool | int | float | str | Sequence["Read"] | Mapping[str, "Read"] | None
"""A value that is only looked at."""


class TemplateResource(TypedDict, total=False):
    """A resource as a template holds it."""

    Type: Required[str]
    Metadata: Mapping[str, Document]
    DependsOn: Document
    DeletionPolicy: Document
    UpdateReplacePolicy: Document
    UpdatePolicy: Document
    CreationPolicy: Document
    Properties: dict[str, Document]


class Template(TypedDict, total=False):
    """A CloudFormation template, its sections in the order in which they are written."""

    AWSTemplateFormatVersion: str
    Description: str
    Parameters: dict[str, Document]
    Resources: Required[dict[str, TemplateResource]]
    Outputs: dict[str, Document]
