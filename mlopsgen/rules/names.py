"""Names that are made of the user's: how long AWS lets them be, and which it keeps for itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.components.buckets.binding import uri_variable
from mlopsgen.components.models.binding import variables
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import Item
from mlopsgen.model.names import logical
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule

ACCOUNT = "0" * 12

MAX_BUCKET = 63
"""Characters (Amazon S3 user guide, "Bucket naming rules"). No other name comes as close to its limit."""


@rule(
    "E360",
    "a name that leaves no room",
    """Physical names are made of the pipeline's name, the environment's and what the thing is. S3 takes 63
    characters for a bucket, of which the account and the hyphens are 15: 48 are left for the three names.""",
    """
    metadata: {name: sentiment-of-all-moving-pictures}
    spec: {environments: {acceptanceeurope: {}}}
    """,
    """
    metadata: {name: sentiment-of-all-moving-pictures}
    spec: {environments: {acceptance: {}}}
    """,
)
def names_too_long(scene: Scene) -> Iterable[Finding]:
    """The names of the pipeline, of the environment and of each bucket leave room for the account."""
    site = scene.site
    for bucket in site.buckets:
        name = bucket.physical.replace("${AWS::AccountId}", ACCOUNT)
        if len(name) > MAX_BUCKET:
            declared = bucket.origin != ("spec",)
            yield Finding(
                (*bucket.origin, "name") if declared else ("metadata", "name"),
                f"bucket `{name}` would have {len(name)} characters; AWS takes {MAX_BUCKET}",
                f"shorten `{site.name}`, the environment's name, `{site.environment}`, or the bucket's, "
                f"`{bucket.name}`, by {len(name) - MAX_BUCKET} characters together",
            )


def _lists(scene: Scene) -> Iterator[tuple[str, SpecPath, tuple[Item, ...]]]:
    """Lists whose items become logical ids of one stack, or names of one kind: (what, place, items)."""
    spec = scene.site.spec
    yield "bucket", ("spec", "buckets"), spec.buckets
    yield "volume", ("spec", "volumes"), spec.volumes
    yield "queue", ("spec", "queues"), spec.queues
    yield "pool", ("spec", "capacity"), spec.capacity
    yield "load balancer", ("spec", "loadBalancers"), spec.load_balancers
    yield "receiver", ("spec", "monitoring", "notify"), spec.monitoring.notify
    yield "role", ("spec", "people", "roles"), spec.people.roles
    for word in ("services", "workers", "jobs", "models"):
        yield "thing", ("spec", word), getattr(spec, word)
    for path, service in each(("spec", "services"), spec.services):
        yield f"route of {service.name}", (*path, "ingress"), service.ingress
    for path, job in each(("spec", "jobs"), spec.jobs):
        yield f"trigger of {job.name}", (*path, "triggers"), job.triggers


@rule(
    "E304",
    "two names that differ in hyphens alone",
    """Names become logical ids without their hyphens: `a-1` and `a1` are both `A1`. In a stack that they
    share one would take the other's place.""",
    """
    spec: {services: [{name: api-1, image: app}, {name: api1, image: app}]}
    """,
    """
    spec: {services: [{name: api-one, image: app}, {name: api-two, image: app}]}
    """,
)
def names_alike(scene: Scene) -> Iterable[Finding]:
    """Names differ in more than a hyphen."""
    seen: dict[tuple[str, str], tuple[SpecPath, str]] = {}
    for kind, path, items in _lists(scene):
        for at, item in each(path, items):
            first_at, first = seen.setdefault((kind, logical(item.name).lower()), (at, item.name))
            if first != item.name:
                also = (((*first_at, "name"), "called so here"),)
                message = f"`{item.name}` and `{first}` would both be `{logical(item.name)}` in templates"
                yield Finding((*at, "name"), message, "let them differ in more than a hyphen", also)


# Amazon ECS API reference, CreateCapacityProvider; AWS Systems Manager user guide, "Requirements and
# constraints for parameter names"; Amazon S3 user guide, "Bucket naming rules".
RESERVED = ("aws", "ssm", "ecs", "fargate", "sthree", "amzn")

_OWN = {
    "buckets": {"log": "the bucket of access logs", "logs": "the bucket of access logs"},
    "workloads": {"vpc-flow-logs": "the log group of the network's flow logs"},
}
"""Names that mlopsgen gives, and what they are."""


@rule(
    "E361",
    "a name that is taken",
    """AWS keeps names that start with `aws`, `ssm`, `ecs`, `fargate` or few others for itself: capacity
    providers, parameters and buckets are refused. `mlopsgen-` and `ecs-` begin the names of containers that
    are made beside the pipeline's own; a few other names are mlopsgen's too.""",
    "metadata: {name: aws-sentiment}",
    "metadata: {name: sentiment}",
)
def names_that_are_kept(scene: Scene) -> Iterable[Finding]:
    """No name starts as AWS's own do, or is one that mlopsgen gives."""
    name = scene.site.name
    start = next((word for word in RESERVED if name.startswith(word)), None)
    if start:
        message = f"AWS keeps names that start with `{start}` for itself"
        yield Finding(("metadata", "name"), message, "begin the name with something else, such as the team")
    for path, workload in workloads(scene):
        what = _OWN["workloads"].get(workload.name)
        if what:
            yield Finding((*path, "name"), f"`{workload.name}` is {what}", "choose another name")
        elif workload.name.startswith(("mlopsgen-", "ecs-")):
            prefix = workload.name.split("-")[0]
            message = f"names that start with `{prefix}-` are kept for what is made beside the pipeline's own"
            yield Finding((*path, "name"), message, "choose another name")
    for path, bucket in each(("spec", "buckets"), scene.site.spec.buckets):
        if what := _OWN["buckets"].get(bucket.name):
            yield Finding((*path, "name"), f"`{bucket.name}` is {what}", "choose another name")
        for at, folder in each((*path, "prefixes"), bucket.prefixes):
            if folder.name == "old-versions":
                message = "`old-versions` is the bucket's own rule for replaced objects"
                yield Finding((*at, "name"), message, "choose another name")


@rule(
    "E362",
    "a label that cannot be a tag",
    """Labels become tags. Tags that start with `aws:` belong to AWS and those with `mlopsgen:` to the
    compiler, IAM does not tell capitals from small letters, and on a command line the key ends at the first
    `=`. Letters and digits may be of any script, each in one piece: an accent that follows its letter is none.""",
    "metadata: {labels: {Team: time-series, team: time-series}}",
    "metadata: {labels: {team: time-series}}",
)
def labels_as_tags(scene: Scene) -> Iterable[Finding]:
    """A label becomes a tag: not one of AWS's or mlopsgen's own, and not one that differs in case alone.

    IAM user guide, "Rules for tagging in IAM and AWS STS".
    """
    seen: dict[str, str] = {}
    for key in scene.site.pipeline.metadata.labels:
        path = ("metadata", "labels", key)
        if key.lower().startswith(("aws:", "mlopsgen:")):
            owner = key.partition(":")[0]
            whose = "AWS" if owner.lower() == "aws" else "mlopsgen"
            message = f"tags that start with `{owner}:` are {whose}'s own"
            yield Finding(path, message, "choose another key", key=True)
        if "=" in key:
            message = "`aws cloudformation deploy` takes what comes after the first `=` for the tag's value"
            yield Finding(path, message, "choose a key without `=`", key=True)
        for text, is_key in ((key, True), (scene.site.pipeline.metadata.labels[key], False)):
            if odd := _odd(text):
                yield Finding(path, f"AWS takes no {odd} in a tag", "write letters and digits", key=is_key)
        first = seen.setdefault(key.lower(), key)
        if first != key:
            also = (((*path[:-1], first), "first given here"),)
            yield Finding(
                path, f"IAM does not tell `{key}` from `{first}`", "write both the same way", also, key=True
            )


def _odd(text: str) -> str | None:
    """What of the text is neither ASCII, which the language has looked at, nor a letter or digit."""
    if text.isascii():
        return None
    import unicodedata

    odd = next(
        (each for each in text if not each.isascii() and unicodedata.category(each)[0] not in "LN"), None
    )
    return f"U+{ord(odd):04X} ({unicodedata.name(odd, 'without a name').lower()})" if odd else None


@rule(
    "E208",
    "two verbs with one variable",
    """A task that reads prefix `raw` finds its place in RAW_URI, and one that loads model `sentiment` in
    SENTIMENT_MODEL_URI and, if it loads no other, in MODEL_URI. A prefix `model` or `checkpoint` would take a
    variable in which a model's own place stands.""",
    """
    spec:
      buckets: [{name: data, prefixes: [{name: model}]}]
      services: [{name: api, reads: [model]}]
    """,
    """
    spec:
      buckets: [{name: data, prefixes: [{name: weights}]}]
      services: [{name: api, reads: [weights]}]
    """,
)
def verbs_with_one_variable(scene: Scene) -> Iterable[Finding]:
    """No prefix of a workload takes a variable of its models."""
    for path, workload in workloads(scene):
        taken = set(variables(workload))
        for field in ("reads", "writes"):
            for at, name in each((*path, field), getattr(workload, field)):
                if uri_variable(name) in taken:
                    yield Finding(
                        at,
                        f"the variable {uri_variable(name)} of prefix `{name}` is a model's",
                        "give the prefix another name; docs/contracts.md lists what every container gets",
                    )
