"""Makes the tables of this folder anew: `python -m mlopsgen.aws.refresh [TABLE...] [--check]`.

It needs cfn-lint and moto, from whose data the tables are made; nothing else here imports them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from mlopsgen.aws import instance_types, resource_types

SERVICES = frozenset({
    "ApplicationAutoScaling", "AutoScaling", "Backup", "Batch", "CertificateManager", "Chatbot", "CloudFront",
    "CloudWatch", "EC2", "ECR", "ECS", "EFS", "ElasticLoadBalancingV2", "Events", "IAM", "KMS", "Lambda",
    "Logs", "Route53", "S3", "SNS", "SQS", "SSM", "SSO", "Scheduler", "SecretsManager", "ServiceDiscovery",
    "StepFunctions", "Synthetics", "WAFv2",
})  # fmt: skip
"""The services whose resource types a template may hold, as the second part of a type's name."""

_POINTERS = {
    "create-only": "createOnlyProperties",
    "maybe-create-only": "conditionalCreateOnlyProperties",
    "read-only": "readOnlyProperties",
    "write-only": "writeOnlyProperties",
}


class Table(NamedTuple):
    """A table of facts: its file, and how its text is made."""

    path: Path
    make: Callable[[], str]


def main(arguments: list[str] | None = None) -> int:
    """Write the tables that are named, or all; with `--check`, say which are stale and exit with 1."""
    parser = argparse.ArgumentParser(
        prog="python -m mlopsgen.aws.refresh", description="Make the tables anew."
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"{' or '.join(TABLES)}; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a table is stale")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.tables) - set(TABLES))
    if unknown:
        parser.error(f"no table {unknown[0]}; there are {' and '.join(TABLES)}")
    stale = []
    for name in options.tables or TABLES:
        table = TABLES[name]
        text = table.make()
        if options.check and text != table.path.read_text(encoding="utf-8"):
            stale.append(name)
        elif not options.check:
            table.path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{TABLES[name].path.name} is stale: python -m mlopsgen.aws.refresh {name}", file=sys.stderr)
    return 1 if stale else 0


def instances() -> str:
    """The table of EC2's instance types."""
    hardware = json.loads(
        gzip.decompress((files("moto.ec2") / "resources" / "instance_types.json.gz").read_bytes())
    )
    enum = files("cfnlint.data.schemas.extensions.aws_ec2_instance") / "instancetype_enum.json"
    offers = {
        region: set(schema["enum"])
        for region, schema in json.loads(enum.read_text()).items()
        if region != "all" and isinstance(schema, dict)
    }
    regions = sorted(offers)
    stated = f"moto {version('moto')} and cfn-lint {version('cfn-lint')}, schemas of {_date()}"
    lines = [f"# {instance_types.SOURCE}{stated}", "# " + "\t".join(regions)]
    for name in sorted(hardware):
        bits = sum(1 << place for place, region in enumerate(regions) if name in offers[region])
        if bits:
            lines.append("\t".join(map(str, _hardware(name, hardware[name], bits))))
    return "\n".join(lines) + "\n"


def _hardware(name: str, info: dict[str, Any], bits: int) -> tuple[object, ...]:
    gpus = sum(
        gpu["Count"] for gpu in info.get("GpuInfo", {}).get("Gpus", ()) if gpu["Manufacturer"] == "NVIDIA"
    )
    arm = "arm64" in info["ProcessorInfo"]["SupportedArchitectures"]
    cpus, memory = info["VCpuInfo"]["DefaultVCpus"], info["MemoryInfo"]["SizeInMiB"]
    interfaces = info["NetworkInfo"]["MaximumNetworkInterfaces"]
    return name, cpus, memory, gpus, interfaces, "arm64" if arm else "x86_64", f"{bits:x}"


def types() -> str:
    """The table of CloudFormation's resource types: a block for each, with a line for each kind of fact."""
    lines = [f"# {resource_types.SOURCE}{version('cfn-lint')}, schemas of {_date()}"]
    for schema in _schemas():
        lines.append(schema["typeName"])
        lines += (f"  {kind} {' '.join(words)}".rstrip() for kind, words in _facts(schema))
    return "\n".join(lines) + "\n"


def _date() -> str:
    stated: dict[str, str] = json.loads((files("cfnlint.data.schemas") / "version.json").read_text())
    return stated["schema_date"].partition("T")[0]


def _schemas() -> Iterator[dict[str, Any]]:
    """The registry's schema of each type of these services, by name; those that some region alone has, too.

    They are the ones in the package, never the newer ones that `cfn-lint --update-specs` may have fetched.
    """
    folder = files("cfnlint.data.schemas")
    places: dict[str, str] = {}
    for region in sorted((folder / "providers").iterdir(), key=lambda each: each.name, reverse=True):
        if region.name.endswith(".json"):
            places |= json.loads(region.read_text(encoding="utf-8"))
    for name in sorted(places):
        if name.split("::")[1] in SERVICES:
            yield json.loads((folder / "resources" / f"{places[name]}.json").read_text(encoding="utf-8"))


def _facts(schema: dict[str, Any]) -> Iterator[tuple[str, Iterable[str]]]:
    tags = _tags(schema)
    if tags:
        yield "tags", tags
    yield "identifier", map(_path, schema["primaryIdentifier"])
    if names := _names(schema):
        yield "names", names
    if schema.get("required"):
        yield "required", sorted(schema["required"])
    for kind, key in _POINTERS.items():
        if schema.get(key):
            yield kind, sorted(map(_path, schema[key]))
    if schema.get("replacementStrategy") == "delete_then_create":
        yield "deletes-first", ()
    handlers = schema.get("handlers", {})
    if handlers:
        yield (
            "handles",
            (_handler(each, handlers[each]) for each in resource_types.OPERATIONS if each in handlers),
        )
    yield from _permissions(handlers)


def _handler(operation: str, handler: dict[str, Any]) -> str:
    """The operation, and its time in minutes where one is stated."""
    minutes = handler.get("timeoutInMinutes")
    return f"{operation}={minutes}" if minutes else operation


def _permissions(handlers: dict[str, Any]) -> Iterator[tuple[str, Iterable[str]]]:
    """For each service of IAM its actions, each with the first letters of the operations that take it.

    Some schemas begin a service with a capital; IAM does not mind, but equal actions are to be equal here.
    """
    takes: dict[str, dict[str, str]] = {}
    for operation in resource_types.OPERATIONS:
        for permission in sorted(set(handlers.get(operation, {}).get("permissions", ()))):
            service, _, action = permission.partition(":")
            actions = takes.setdefault(service.lower(), {})
            actions[action] = actions.get(action, "") + operation[0]
    for service in sorted(takes):
        yield f"{service}:", (f"{action}={takes[service][action]}" for action in sorted(takes[service]))


def _path(pointer: str) -> str:
    return pointer.removeprefix("/properties/")


def _tags(schema: dict[str, Any]) -> tuple[str, ...]:
    """The property, its form and what CloudFormation does with it; nothing if the type takes no tags."""
    tagging = schema.get("tagging", {})
    if not tagging.get("taggable"):
        return ()
    pointer = _path(tagging.get("tagProperty", "/properties/Tags"))
    name = pointer.partition("/")[0]
    flags = {"create": "tagOnCreate", "update": "tagUpdatable", "system": "cloudFormationSystemTags"}
    return name, _form(schema, pointer), *(word for word, key in flags.items() if tagging.get(key, True))


def _form(schema: dict[str, Any], pointer: str) -> resource_types.TagForm:
    if pointer != pointer.partition("/")[0]:
        return "specifications"
    tags = _resolved(schema, schema["properties"][pointer])
    if tags["type"] != "array":
        return "items" if "Items" in tags.get("properties", {}) else "map"
    item = _resolved(schema, tags["items"])
    return "propagated" if "PropagateAtLaunch" in item["properties"] else "list"


def _resolved(schema: dict[str, Any], stated: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in stated:
        target: Any = schema
        for step in stated["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        stated = target
    return stated


def _names(schema: dict[str, Any]) -> tuple[str, ...]:
    """The create-only text properties that are called `Name`, or the end of the type's name and `Name`.

    `GroupName` of a SecurityGroup and `LogGroupName` of a LogGroup are its own name; `LogGroupName` of a
    MetricFilter is another's. A name that can be changed in place (of a QueryDefinition) is a label.
    """
    settable = set(map(_path, schema.get("createOnlyProperties", ())))
    settable -= set(map(_path, schema.get("readOnlyProperties", ())))
    last = schema["typeName"].rpartition("::")[2].lower()
    return tuple(
        sorted(
            name
            for name in settable
            if name.endswith("Name")
            and last.endswith(name.removesuffix("Name").lower())
            and _resolved(schema, schema["properties"][name]).get("type", "string") == "string"
        )
    )


TABLES = {
    "instances": Table(instance_types.TABLE, instances),
    "types": Table(resource_types.TABLE, types),
}


if __name__ == "__main__":
    sys.exit(main())
