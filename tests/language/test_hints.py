"""Words of other tools: each gets the word of this language, in the author's own words, where it is right."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from mlopsgen.language.hints import KEYS
from mlopsgen.language.value_hints import VALUES
from mlopsgen.language.walk import Field, below, root_field
from mlopsgen.model.pipeline import Pipeline
from tests.language.small import told

HEAD = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
"""


def help_(line: str) -> list[str]:
    """What a document with that line in `spec` gets as help."""
    return re.findall(r"^  = (.*(?:\n    .*)*)", told(f"{HEAD}  {line}\n", Pipeline), re.MULTILINE)


def one(line: str) -> str:
    """The only help, on one line, whether what it names is built or not."""
    (found,) = help_(line)
    return re.sub(r" \(`\w+` is not built yet\)$", "", found.replace("\n    ", " "))


def places(field: Field, at: tuple[str, ...] = ()) -> Iterator[tuple[str, Field]]:
    """Every place of the language as hints name it, and what may stand there."""
    yield ".".join(at), field
    if field.later:
        return
    if field.kind == "list" and field.each:
        yield from places(field.each, at)
    if field.kind == "values" and field.each:
        yield from places(field.each, (*at, "*"))
    for key, each in below(field).items():
        yield from places(each, (*at, key))


PLACES = tuple(places(root_field(Pipeline)))
MAPS = {at: field for at, field in PLACES if field.kind == "map"}


@pytest.mark.parametrize("where", [where for where, _ in KEYS])
def test_hints_stand_where_there_is_such_a_map(where: str):
    """Each word is unknown there, and the key that is to take its place is known."""
    found = {at: field for at, field in MAPS.items() if re.fullmatch(where, at)}
    assert found
    for at, field in found.items():
        for word, (instead, _) in dict(KEYS)[where].items():
            assert word not in below(field), (at, word)
            key = instead.partition(".")[0]
            assert not key or instead.startswith("/") or any(key in below(each) for each in found.values())


def test_no_place_has_two_hints_for_a_word():
    """The first would hide the second."""
    for at in MAPS:
        words = [word for where, words in KEYS if re.fullmatch(where, at) for word in words]
        assert len(words) == len(set(words)), at


@pytest.mark.parametrize("where", [where for where, _ in VALUES])
def test_hints_for_values_stand_where_there_is_such_a_key(where: str):
    """A place that the language does not have would never get its hint."""
    assert [at for at, _ in PLACES if re.fullmatch(where, at)]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("replicas: 3", "write `replicas: {min: 3}`"),
        ("count: 3", "write `replicas: {min: 3}`"),
        ("desiredCount: 3", "write `replicas: {min: 3}`"),
        ("minReplicas: 3", "write `replicas: {min: 3}`"),
        ("port: 80", "write `ports: [{name: http, port: 80}]`"),
        ("containerPort: 80", "write `ports: [{name: http, port: 80}]`"),
        ("ports: [8080]", "write `ports: [{name: http, port: 8080}]`"),
        ('ports: ["8000:80"]', "write `ports: [{name: http, port: 80}]`"),
        ('ports: "127.0.0.1:8000:80/tcp"', "write `ports: [{name: http, port: 80}]`"),
        ("serves: sentiment", "write `loads: [sentiment]`"),
        ("loads: sentiment", "write a list: [sentiment]"),
        ("environment: {A: b}", "write `env: {NAME: value}`"),
        ("env: [{name: A, value: b}, {name: B, value: 3}]", 'write a map: {A: b, B: "3"}'),
        ('env: ["A=b c", B=]', 'write a map: {A: "b c", B: ""}'),
        ("env: {N: 4}", 'put it in quotes: "4"'),
        ("command: python -m app --port 8080", 'write a list: [python, -m, app, --port, "8080"]'),
        ("command: cd app && python x.py", 'write a list: [sh, -c, "cd app && python x.py"]'),
        ("entryPoint: [a, b]", "write `command: [a, b]`, in place of the image's ENTRYPOINT"),
        ("secrets: [{name: A, valueFrom: b}]", "write a map, by the variables' names: {NAME: {secret: ..}}"),
        (
            "secrets: {A: team/a}",
            "write {secret: team/a}, with the name that it has in Secrets Manager",
        ),
        (
            'secrets: {A: "arn:aws:ssm:eu-west-1:123456789012:parameter/a"}',
            "write {parameter: arn:aws:ssm:eu-west-1:123456789012:parameter/a}",
        ),
        (
            "secrets: {A: {valueFrom: team/a}}",
            "write `secret: team/a` for Secrets Manager, `parameter: team/a` for SSM",
        ),
        (
            "livenessProbe: {}",
            "write `healthCheck`: ECS replaces a task that is not well, whoever asked",
        ),
        ("healthCheck: /ready", "write `healthCheck: {path: /ready}`"),
        ("healthCheck: {initialDelaySeconds: 40}", "write `startPeriod: 40s`"),
        ("healthCheck: {command: curl localhost}", "write a list: [curl, localhost]"),
        ("user: 1000", "write `securityContext: {runAsUser: 1000}`"),
        ("user: app", "write `securityContext: {runAsUser: 10001}`"),
        ("terminationGracePeriodSeconds: 60", "write `stopTimeout: 60s`"),
        (
            "resources: {limits: {cpu: 1}}",
            "write `resources: {cpu: .., memory: ..}`: request and limit are one on ECS",
        ),
        (
            "ingress: {host: a.example.com}",
            "write a list of routes: `ingress: [{name: web, loadBalancer: public}]`",
        ),
        ("ingress: [{name: web, host: a.example.com}]", "write `hosts: [a.example.com]`"),
        ("ingress: [{name: web, path: /v1}]", "write `paths: [/v1]`"),
        ("domain: a.example.com", "write `ingress: [{name: web, hosts: [a.example.com]}]`"),
        ("deployment: canary", "write `deployment: {canary: {}}`"),
        ("deployment: {percent: 20}", "write `share: 20%` inside `canary` or `linear`"),
        ("architecture: x86_64", "write `amd64`"),
        (
            "restart: always",
            "leave it out: ECS replaces a task of a service or worker that ends, and a job has `retries`",
        ),
        (
            "serviceAccountName: x",
            "write what it touches as verbs: `reads`, `writes`, `loads`, `produces`; they give the rights",
        ),
        (
            'volumes: ["./data:/data"]',
            "data is a volume of `spec.volumes`, seen by `volumeMounts: [{name: NAME, mountPath: /data}]`; "
            "files come with the image",
        ),
        ("depends_on: [db]", "containers of one task start in the order of `sidecars`"),
        ("alarms: {cpu: 80}", "write `{above: 80%}`"),
        ("alarms: {cpu: false}", "write {enabled: false}"),
    ],
)
def test_words_of_other_tools_in_a_service(written: str, said: str):
    """Of Kubernetes, Compose, Copilot and ECS, and of the form before this one."""
    assert one(f"services: [{{name: api, image: redis:7, {written}}}]") == said


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("./app", "an image that is built here goes by its name: `images: [{name: app}]`, and `image: app`"),
        (
            "services/api/",
            "an image that is built here goes by its name: `images: [{name: api, context: services/api}]`, "
            "and `image: api`",
        ),
        (
            "{build: {context: app}}",
            "an image that is built here goes by its name: `images: [{name: app}]`, and `image: app`",
        ),
        (
            "{build: app}",
            "an image that is built here goes by its name: `images: [{name: app}]`, and `image: app`",
        ),
        (
            "{name: app}",
            "an image that is built here is an item of `spec.images`: `images: [{name: app}]`, "
            "and `image: app`",
        ),
        (
            "{build: {target: x}}",
            "an image that is built here is an item of `spec.images`: `images: [{name: app}]`, "
            "and `image: app`",
        ),
        ('{uri: "example.com/app:1"}', "write `image: example.com/app:1`"),
    ],
)
def test_images_go_by_their_names(image: str, said: str):
    """A folder, a build and a reference in a map are none."""
    assert one(f"services: [{{name: api, image: {image}}}]") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            'schedule: "0 3 * * *"',
            'write `triggers: [{name: schedule, schedule: {cron: "0 3 * * *"}}]`',
        ),
        (
            'schedule: {cron: "0 3 * * *"}',
            "write `triggers: [{name: schedule, schedule: {cron: ..}}]`",
        ),
        ('triggers: [{name: t, schedule: "0 3 * * *"}]', 'write `schedule: {cron: "0 3 * * *"}`'),
        ('triggers: [{name: t, cron: "0 3 * * *"}]', 'write `schedule: {cron: "0 3 * * *"}`'),
        ("suspend: true", "write `enabled: false` in each of its `triggers`"),
        ("hyperparameters: {a: 1}", "write `parameters`; the program finds them in `PARAMETERS`"),
        ("trains: m", "write `produces: [m]`"),
        ("activeDeadlineSeconds: 3600", "write `timeout: 3600s`"),
        ("retries: 2", "write `retries: {onLostCapacity: 2}`"),
        ("backoffLimit: 2", "write `retries: {onFailure: 2}`"),
        ("completions: 8", "write `indexed: {completions: 8}`"),
        ("ports: [8080]", "a job has no way in: what answers requests is one of `services`"),
        (
            "compute: {ec2: {instanceType: g4dn.xlarge}}",
            "write `capacity` with a pool's name: `fargate`, `fargate-spot`, or one of `spec.capacity`",
        ),
    ],
)
def test_words_of_other_tools_in_a_job(written: str, said: str):
    """A job has triggers, parameters and retries, and no replicas or ports."""
    assert one(f"jobs: [{{name: job, image: redis:7, {written}}}]") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("trainers: []", "write `jobs`: one that `produces` a model is a trainer"),
        ("storage: {}", "write `buckets: [{name: data, prefixes: [..]}]`"),
        ("access: {}", "write `people`"),
        ("cronjobs: []", "write `jobs` with `triggers`"),
        ("region: eu-west-1", "write `aws: {region: eu-west-1}`"),
        ("labels: {a: b}", "`labels` stands in `metadata`"),
        ("images: [{name: app, dockerfile: Dockerfile}]", "write `dockerfile: {path: Dockerfile}`"),
        ("images: [{name: app, python: 3.12}]", 'write `python: {version: "3.12"}`'),
        ("images: [app]", "write {name: app}"),
        ("buckets: [{name: data, prefixes: [raw]}]", "write {name: raw}"),
        ("capacity: [{name: gpu, instanceType: g4dn.xlarge}]", "write `ec2: {instanceTypes: [g4dn.xlarge]}`"),
        (
            "capacity: [{name: gpu, ec2: {instanceType: g4dn.xlarge}}]",
            "write `instanceTypes: [g4dn.xlarge]`",
        ),
        ("capacity: [{name: p, fargate: {spot: true}}]", "write `spot: {}`"),
        ("loadBalancers: [{name: b, scheme: public}]", "write `internet-facing`"),
        (
            "models: [{name: m, promotion: {metrics: {accuracy: 0.9}}}]",
            "write `{atLeast: 0.9}` for what should be high, `{atMost: 0.9}` for what should be low",
        ),
        (
            "models: [{name: m, promotion: {minimum: {accuracy: 0.9}}}]",
            "write `metrics: {NAME: {atLeast: 0.9}}`",
        ),
        ("network: {vpc: {natGateways: 1}}", "write `single`"),
        ("network: {vpc: {flowLogs: false}}", "write {enabled: false}"),
        (
            "monitoring: {notify: {email: [a@example.com]}}",
            "write a list: `notify: [{name: ops, email: ops@example.com}]`",
        ),
        (
            "monitoring: {notify: [a@example.com]}",
            "write `notify: [{name: ops, email: a@example.com}]`",
        ),
        ("monitoring: {logRetention: 90d}", "write `logs: {retention: 90d}`"),
        (
            "monitoring: {alarms: {cpu: 80}}",
            "write it inside `services` or `workers`: each kind has its own alarms",
        ),
        ("people: {roles: [{name: dev, trainers: [a]}]}", "write `runs: [a]`"),
        (
            "delivery: {github: {repository: a/b, branch: main}}",
            "write `branch` in `delivery`, one level up",
        ),
        ("delivery: {github: a/b}", "write `github: {repository: a/b}`"),
    ],
)
def test_words_of_the_form_before_this_one(written: str, said: str):
    """Of every section; what follows from a word is not told beside it."""
    assert one(written) == said


def test_image_without_a_tag_is_no_folder():
    """What may be a reference gets no advice to build it here."""
    assert help_("services: [{name: api, image: ghcr.io/org/app}]") == []
    assert help_("services: [{name: api, image: org/app}]") == []


def test_hints_hold_in_an_environment_too():
    """At the same places, with the environment's name."""
    said = told(
        f"""{HEAD}  services: [{{name: api, image: redis:7}}]
  environments: {{dev: {{services: [{{name: api, replicas: 3, port: 80}}]}}}}
""",
        Pipeline,
    )
    assert said == (
        "E103 7:57 `replicas` should be a map, not the number `3`, in environment `dev`\n"
        "  = write `replicas: {min: 3}`\n"
        "E101 7:60 unknown key `port`, in environment `dev`\n"
        "  = write `ports: [{name: http, port: 80}]`\n"
    )


def test_long_values_are_not_written_out():
    """A hint fits on a line or two."""
    words = " ".join(["word"] * 40)
    assert one(f"services: [{{name: api, image: redis:7, command: {words}}}]") == "write a list of words"
    assert one(f"services: [{{name: api, image: redis:7, serves: {'m' * 80}}}]") == "write `loads: [..]`"


def test_hint_says_what_is_not_built_yet():
    """Who follows it is not surprised by the next answer."""
    said = told("services: [{name: api, image: app, network: {}}]")
    assert said.endswith("(`calls` is not\n    built yet)\n")
