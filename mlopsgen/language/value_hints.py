"""Values as other tools have them, where this language has a map or a list: how each is written here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import TypeAlias

from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.hints import IMAGES, JOB, RUNNING, SERVICE, WORKLOAD, typed
from mlopsgen.language.walk import Field
from mlopsgen.language.wording import quoted, short
from mlopsgen.source.node import Mapping, Node, Scalar, Sequence

Form: TypeAlias = Callable[[Node], str | None]
"""What to write instead of a value, if it is one of those that the hint is for."""

_NAME = re.compile("[a-z](-?[a-z0-9])*")


def hint_for_value(root: Field, path: SpecPath, node: Node) -> str | None:
    """How to write a value of the wrong kind or form, where other tools have it so."""
    _, at = typed(root, path)
    for where, form in VALUES:
        if re.fullmatch(where, at):
            return form(node)
    return None


def _image(node: Node) -> str | None:
    """Of `./app`, `{build: …}` and `{uri: …}`."""
    uri = node.get("uri") if isinstance(node, Mapping) else None
    if isinstance(uri, Scalar) and isinstance(uri.value, str):
        return f"write `image: {short(uri.text)}`"
    folder = _folder(node)
    path = folder.removeprefix("./").strip("/") if folder else ""
    name = path.rpartition("/")[2]
    if not _NAME.fullmatch(name) or len(name) > 32 or ".." in path:
        return IMAGES if isinstance(node, Mapping) else None
    item = name if path == name else f"{name}, context: {path}"
    return f"an image that is built here goes by its name: `images: [{{name: {item}}}]`, and `image: {name}`"


def _folder(node: Node) -> str | None:
    """The folder that is to be built; `org/app` is none, since it may be an image without its tag."""
    if isinstance(node, Mapping):
        build = node.get("build") or node
        context = build.get("context") if isinstance(build, Mapping) else build
        return context.text if isinstance(context, Scalar) else None
    text = node.text if isinstance(node, Scalar) else ""
    return text if text.startswith("./") or text.endswith("/") else None


def _command(node: Node) -> str | None:
    """A command line as the list of its words, or as a shell's where only a shell understands it."""
    text = node.value if isinstance(node, Scalar) else None
    return as_words(text) if isinstance(text, str) else None


def as_words(text: str) -> str:
    """How a command line is written instead."""
    if re.search(r"[|&;<>()$`\\\n*?~#]|^\w+=", text):
        return f"write a list: [sh, -c, {quoted(text)}]" if len(text) <= 60 else "write a list: [sh, -c, ..]"
    try:
        words = shlex.split(text)
    except ValueError:
        return "write a list of words"
    listed = ", ".join(quoted(word) for word in words)
    return f"write a list: [{listed}]" if len(listed) <= 80 else "write a list of words"


def _variables(node: Node) -> str | None:
    """`[{name: N, value: v}]` of Kubernetes and `[N=v]` of Compose as a map."""
    pairs: list[str] = []
    for item in node.items if isinstance(node, Sequence) else ():
        name = item.get("name") if isinstance(item, Mapping) else None
        value = item.get("value") if isinstance(item, Mapping) else None
        if isinstance(item, Scalar) and "=" in item.text:
            key, _, text = item.text.partition("=")
            pairs.append(f"{key}: {quoted(text)}")
        elif isinstance(name, Scalar) and isinstance(value, Scalar):
            pairs.append(f"{name.text}: {quoted(value.text)}")
    shown = ", ".join(pairs)
    return f"write a map: {{{shown if len(shown) <= 80 else 'NAME: value'}}}" if pairs else None


def _secret(node: Node) -> str | None:
    text = node.value if isinstance(node, Scalar) else None
    if not isinstance(text, str):
        return None
    if ":ssm:" in text:
        return f"write {{parameter: {quoted(text)}}}"
    return f"write {{secret: {quoted(text)}}}, with the name that it has in Secrets Manager"


_PROCESSORS = {
    **dict.fromkeys(("amd", "intel", "x64", "x86", "x86-64", "x86_64"), "amd64"),
    **dict.fromkeys(("aarch64", "arm", "arm64/v8", "armv8", "graviton"), "arm64"),
}


def _processor(node: Node) -> str | None:
    """Of other words for the two; a word that is like both is nobody's typo of one of them."""
    word = node.text.lower().removeprefix("linux/") if isinstance(node, Scalar) else ""
    name = _PROCESSORS.get(word, word)
    return f"write `{name}`" if name in ("amd64", "arm64") else "an image is built for one of the two"


def _share(node: Node) -> str | None:
    """`88%` of a metric that lies between 0 and 1."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?%", node.text) if isinstance(node, Scalar) else None
    return f"a metric is a number: write {float(found[1]) / 100:g}" if found else None


def _number_in(form: str) -> Form:
    return lambda node: (
        form.format(node.text) if isinstance(node, Scalar) and type(node.value) in (int, float) else None
    )


def _text_in(form: str) -> Form:
    return lambda node: (
        form.format(quoted(node.text)) if isinstance(node, Scalar) and isinstance(node.value, str) else None
    )


def _words(**instead: str) -> Form:
    def form(node: Node) -> str | None:
        word = instead.get(node.text.lower().replace("-", "_")) if isinstance(node, Scalar) else None
        return f"write `{word}`" if word else None

    return form


def _list_as(form: str) -> Form:
    return lambda node: form if isinstance(node, Sequence) else None


def _map_as(form: str) -> Form:
    return lambda node: form if isinstance(node, Mapping) else None


def _either(*forms: Form) -> Form:
    return lambda node: next((text for form in forms if (text := form(node))), None)


def _port(node: Node) -> str | None:
    """Of `8080`, `"8000:80"` and `"80/tcp"`: what the container listens on stands last."""
    found = (
        re.fullmatch(r"(?:[0-9.]+:)*([0-9]{1,5})(?:/(?:tcp|udp))?", node.text)
        if isinstance(node, Scalar)
        else None
    )
    return f"write `ports: [{{name: http, port: {found[1]}}}]`" if found else None


def _mount(node: Node) -> str | None:
    """Of Compose's `./data:/data`."""
    text = node.value if isinstance(node, Scalar) else None
    if not isinstance(text, str):
        return None
    path = text.split(":")[1] if text.count(":") and text.split(":")[1].startswith("/") else "/path"
    return (
        f"data is a volume of `spec.volumes`, seen by `volumeMounts: [{{name: NAME, mountPath: {path}}}]`; "
        "files come with the image"
    )


def _strategy(node: Node) -> str | None:
    words = ("rolling", "blueGreen", "canary", "linear")
    return (
        f"write `deployment: {{{node.text}: {{}}}}`"
        if isinstance(node, Scalar) and node.text in words
        else None
    )


def _check(node: Node) -> str | None:
    text = node.value if isinstance(node, Scalar) else None
    return (
        f"write `healthCheck: {{path: {quoted(text)}}}`"
        if isinstance(text, str) and text.startswith("/")
        else None
    )


def _spot(node: Node) -> str | None:
    value = node.value if isinstance(node, Scalar) else None
    return "write `spot: {}`" if value is True else "leave the key out" if value is False else None


def _receiver(node: Node) -> str | None:
    text = node.value if isinstance(node, Scalar) else None
    if isinstance(text, str) and "@" in text:
        return f"write `notify: [{{name: ops, email: {quoted(text)}}}]`"
    return (
        "write a list: `notify: [{name: ops, email: ops@example.com}]`" if isinstance(node, Mapping) else None
    )


def _above(node: Node) -> str | None:
    text = node.text if isinstance(node, Scalar) and node.value is not None else ""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?%?", text):
        return f"write `{{above: {text.removesuffix('%')}%}}`"
    return None


def _gateways(node: Node) -> str | None:
    """Of a switch and of numbers, as other tools have them."""
    text = node.text.lower() if isinstance(node, Scalar) else ""
    if text in ("true", "yes", "on"):
        return "write `single`, one for all zones, or `perZone`, one in each"
    if text in ("false", "no", "off", "0"):
        return "write `none`"
    return "write `single`" if text in ("1", "one") else "write `perZone`" if text.isdigit() else None


def _arn(form: str, found: str) -> Form:
    """Of what a thing of AWS is called by, where its ARN has to stand: the form, and who tells the rest."""

    def arn(node: Node) -> str | None:
        text = node.value if isinstance(node, Scalar) else None
        if not isinstance(text, str) or text.startswith("arn:"):
            return None
        name = text.rpartition("/")[2] if re.fullmatch(r"[A-Za-z0-9+=,.@/_-]+", text) else ""
        return f"write the ARN, {found}: `{form.format(name or 'NAME')}`"

    return arn


def _account(node: Node) -> str | None:
    text = node.value if isinstance(node, Scalar) else None
    if isinstance(text, str) and re.fullmatch("[0-9]{12}", text):
        return f"write `arn:aws:iam::{text}:root`"
    return None


def _certificate(node: Node) -> str | None:
    """Of a certificate's id, or of the host that it is for."""
    given = isinstance(node, Scalar) and re.fullmatch(
        "(.*/)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", node.text
    )
    form = f"arn:aws:acm:REGION:ACCOUNT:certificate/{'{}' if given else 'ID'}"
    return _arn(form, "as `aws acm list-certificates` tells it")(node)


_ALARMS = r"spec\.(monitoring\.alarms\.(services|workers)|(services|workers)\.alarms)"

VALUES: tuple[tuple[str, Form], ...] = (
    ("metadata", _text_in("write `metadata: {{name: {}}}`")),
    (r"spec\.aws", _text_in("write `aws: {{region: {}}}`")),
    (r"spec\.capacity\.(ec2|fargate)\.spot", _spot),
    (r"spec\.capacity\.ec2\.rootVolume", _text_in("write `rootVolume: {{size: {}}}`")),
    (r"spec\.delivery\.github", _text_in("write `github: {{repository: {}}}`")),
    (r"spec\.images\.dockerfile", _text_in("write `dockerfile: {{path: {}}}`")),
    (
        r"spec\.images\.python",
        _either(_text_in("write `python: {{version: {}}}`"), _number_in('write `python: {{version: "{}"}}`')),
    ),
    (
        r"spec\.aws\.permissionsBoundary",
        _arn("arn:aws:iam::ACCOUNT:policy/{}", "as `aws iam list-policies --scope Local` tells it"),
    ),
    (r"spec\.loadBalancers\.certificates", _certificate),
    (
        r"spec\.loadBalancers\.scheme",
        _words(public="internet-facing", internet="internet-facing", private="internal"),
    ),
    (r"spec\.models\.promotion", _text_in("write `promotion: {{policy: {}}}`")),
    (
        r"spec\.models\.promotion\.metrics\.\*",
        _number_in(
            "write `{{atLeast: {0}}}` for what should be high, `{{atMost: {0}}}` for what should be low"
        ),
    ),
    (r"spec\.models\.promotion\.metrics\.\*\.(atLeast|atMost)", _share),
    (r"spec\.monitoring\.containerInsights", _words(true="enabled", false="disabled")),
    (r"spec\.monitoring\.logs", _text_in("write `logs: {{retention: {}}}`")),
    (r"spec\.monitoring\.notify", _receiver),
    (r"spec\.network\.vpc\.natGateways", _either(_gateways, _words(per_az="perZone"))),
    (_ALARMS + r"\.(cpu|memory|errorRate)", _above),
    (_ALARMS + r"\.latency", _text_in("write `{{above: {}}}`")),
    (
        r"spec\.people\.roles\.principals",
        _either(_account, _arn("arn:aws:iam::ACCOUNT:role/{}", "of a role, a user or an account")),
    ),
    (JOB + r"\.retries", _number_in("write `retries: {{onLostCapacity: {}}}`")),
    (JOB + r"\.triggers\.schedule", _text_in("write `schedule: {{cron: {}}}`")),
    (RUNNING + r"\.replicas", _number_in("write `replicas: {{min: {}}}`")),
    (RUNNING + r"\.replicas\.metrics", _list_as("write a map: `metrics: {cpu: 70%}`")),
    (SERVICE + r"\.deployment", _strategy),
    (SERVICE + r"\.healthCheck", _check),
    (
        SERVICE + r"\.ingress",
        _map_as("write a list of routes: `ingress: [{name: web, loadBalancer: public}]`"),
    ),
    (SERVICE + r"\.ports", _port),
    (WORKLOAD + r"\.(command|args|healthCheck\.command)", _command),
    (r"spec\.images\.python\.command", _command),
    (WORKLOAD + r"\.architecture", _processor),
    (WORKLOAD + r"\.env", _variables),
    (WORKLOAD + r"\.image", _image),
    (WORKLOAD + r"\.secrets", _list_as("write a map, by the variables' names: {NAME: {secret: ..}}")),
    (WORKLOAD + r"\.secrets\.\*", _secret),
    (WORKLOAD + r"\.volumes", _mount),
)
