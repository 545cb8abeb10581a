"""A pipeline that says something in every section, for the tests of the language's tools."""

from __future__ import annotations

import json
from typing import Any

from mlopsgen.sections.pipeline import Pipeline
from mlopsgen.source.node import Node, plain
from mlopsgen.source.parse import parse

EXAMPLE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: imdb, labels: {team: time-series}}
spec:
  aws: {region: ap-southeast-1, account: "123456789012"}
  variables: {domain: example.com}
  network: {vpc: {cidr: 10.20.0.0/16, flowLogs: {enabled: false}}}
  encryption: {awsManaged: {}}
  registry: {keepImages: 20}
  images:
    - name: train
    - {name: app, context: ., dockerfile: {path: docker/Dockerfile.app}}
  buckets:
    - name: data
      prefixes:
        - {name: raw, transitions: [{after: 90d, storageClass: STANDARD_IA}]}
        - {name: models}
      versions: {expireAfter: 90d}
  volumes:
    - {name: cache, efs: {}}
    - {name: team, existing: {fileSystemId: fs-0123456789abcdef0, securityGroupId: sg-0123456789abcdef0}}
  capacity:
    - {name: gpu, ec2: {instanceTypes: [g4dn.xlarge], max: 4, spot: {share: 70%}}}
    - {name: mixed, fargate: {spot: {onDemandBase: 1}}}
  loadBalancers:
    - {name: public, allowFrom: [10.0.0.0/16, sg-0123456789abcdef0], idleTimeout: 5m}
  models:
    - name: sentiment
      promotion: {policy: automatic, metrics: {accuracy: {atLeast: 0.88}, loss: {atMost: 1}}}
  jobs:
    - name: trainer
      image: train
      produces: [sentiment]
      reads: [raw]
      capacity: gpu
      resources: {cpu: "4", memory: 14Gi, gpu: 1}
      parameters: {epochs: 3, layers: [1, 2], note: null}
      triggers: [{name: weekly, schedule: {cron: "0 3 * * 0", timeZone: Asia/Ho_Chi_Minh}}]
      retries: {onLostCapacity: 5}
      environments: [dev]
  services:
    - name: api
      image: app
      loads: [sentiment]
      command: [python, -m, api]
      env: {PUBLIC_URL: "https://app.${domain}"}
      secrets: {TOKEN: {secret: "team/${environment}"}, KEY: {secretKeyRef: {name: team, key: password}}}
      ports: [{name: http, port: 8000}, {name: metrics, port: 9000, appProtocol: tcp}]
      healthCheck: {path: /ready, interval: 30s}
      securityContext: {runAsUser: 0, reason: It listens on a low port}
      volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 1Gi}}]
      volumeMounts: [{name: shm, mountPath: /dev/shm}]
      resources: {cpu: 0.5, memory: 512Mi, ephemeralStorage: 30Gi}
      replicas:
        min: 2
        max: 10
        metrics: {cpu: 70%, requests: 20/s, latency: 250ms}
        cooldown: {out: 30s, in: 10m}
        schedules: [{name: night, cron: "0 19 * * 1-5", max: 2}]
      ingress: [{name: web, loadBalancer: public, hosts: ["app.${domain}"], port: http}]
      deployment: {canary: {share: 5%}, rollback: {onAlarms: true}}
      alarms: {latency: {above: 5s, for: 10m}, cpu: {enabled: false}}
  workers:
    - name: indexer
      image: public.ecr.aws/docker/library/redis:7
      healthCheck: {command: [redis-cli, ping]}
      deployment: {rolling: {maxUnavailable: 100%, maxSurge: 0%}}
  people:
    roles: [{name: analysts, preset: analyst, principals: ["arn:aws:iam::123456789012:role/a"], reads: [raw]}]
  monitoring:
    notify: [{name: ops, email: ops@example.com}]
    logs: {retention: 90d}
    alarms: {services: {memory: {above: 90%}}}
  delivery:
    github: {repository: example/imdb, ids: {owner: 1, repository: 2}}
    stages: [{name: dev}, {name: prod, approval: true}]
  patches:
    - name: address
      stack: serving-api
      resource: Service
      path: NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp
      value: {Ref: [1, null]}
      reason: The auditors ask for it
  environments:
    dev:
      services: [{name: api, replicas: {min: 1, max: null}, deployment: {rolling: {}}}]
      delivery: {github: {oidcProvider: create}}
    prod:
"""


def example() -> dict[str, Any]:
    """The example as JSON has it, with lists as lists."""
    found: dict[str, Any] = json.loads(json.dumps(plain(tree())))
    return found


def tree() -> Node:
    """The example with its places."""
    return parse(EXAMPLE, "pipeline.yaml")


def loaded(document: dict[str, Any]) -> Pipeline:
    """What the models make of the base of a document."""
    value = _tuples(document)
    if isinstance(value.get("spec"), dict):
        spec = {word: each for word, each in value["spec"].items() if word != "environments"}
        value = value | {"spec": _filled(spec)}
    return Pipeline.model_validate(value, by_alias=True, by_name=False)


def _tuples(value: Any) -> Any:
    match value:
        case dict():
            return {word: _tuples(each) for word, each in value.items()}
        case list():
            return tuple(map(_tuples, value))
        case _:
            return value


def _filled(value: Any) -> Any:
    match value:
        case dict():
            return {word: _filled(each) for word, each in value.items()}
        case tuple():
            return tuple(map(_filled, value))
        case str():
            return value.replace("${domain}", "example.com").replace("${environment}", "dev")
        case _:
            return value
