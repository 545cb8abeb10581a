"""What a run reads of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlopsgen.cli import main
from mlopsgen.compile import compile_pipeline
from mlopsgen.local.blueprint import Blueprint, LocalMount, Unknown, blueprint

BASE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  images: [{name: train}, {name: app}]
"""


def of(text: str, environment: str = "default") -> Blueprint:
    """The blueprint of `BASE` with more sections, which lies in `/project`."""
    found = {each.environment: each for each in compile_pipeline(BASE + text, "pipeline.yaml")}
    return blueprint(found[environment], Path("/project"))


def test_local_up_rejects_what_build_rejects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same words, whatever phase of the compiler has found it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    for name in ("requirements.txt", "__main__.py"):
        (tmp_path / "app" / name).write_text("")
    # A template that AWS does not take: nothing before the last phase can tell.
    variables = "".join(f"        NAME_{number}: {'x' * 60}\n" for number in range(900))
    (tmp_path / "pipeline.yaml").write_text(
        BASE.replace("{name: train}, ", "")
        + f"  services:\n    - name: api\n      image: app\n      env:\n{variables}"
    )
    assert main(["build"]) == 1
    rejected = capsys.readouterr().err
    assert "E301" in rejected
    assert main(["local", "up", "--port", "0"]) == 1
    assert capsys.readouterr().err == rejected
    assert not (tmp_path / ".mlopsgen").exists()


def test_stacks_come_by_phase_and_not_by_name() -> None:
    """What holds no task comes before images, what loads no model with the jobs, the rest after."""
    found = of(
        """\
  models: [{name: words}]
  jobs: [{name: counter, image: train, produces: [words]}]
  services:
    - {name: registry, image: app, loads: [words], ingress: [{name: web}]}
    - {name: people, image: app}
"""
    )
    assert "training-counter" not in found.before_images
    assert {"registry-app", "registry-train", "network", "cluster"} <= {*found.before_images}
    assert {"training-counter", "serving-people"} <= {*found.before_model}
    assert "serving-registry" in found.after_model
    assert [each.task.name for each in found.services] == ["people", "registry"]
    assert found.services[1].task.stack == "serving-registry"
    assert found.repositories == ("demo-default/app", "demo-default/train")


def test_each_balancer_has_the_rules_of_its_routes() -> None:
    """A service may have routes through several, to several ports; the internet's comes first."""
    found = of(
        """\
  services:
    - name: api
      image: app
      ports: [{name: http, port: 8080}, {name: admin, port: 9000}]
      deployment: {blueGreen: {}}
      ingress:
        - {name: admin, loadBalancer: internal, port: admin, paths: [/admin]}
        - {name: web, loadBalancer: public, hosts: [a.example.com], paths: [/v1, /v2]}
"""
    )
    assert found.balancers == ("public", "internal")
    [api] = found.services
    ports = {each.name: each.port for each in api.groups}
    assert {
        (each.balancer, ports[each.group], *each.hosts, path) for each in found.rules for path in each.paths
    } == {
        ("internal", 9000, "/admin"),
        ("internal", 9000, "/admin/*"),
        ("public", 8080, "a.example.com", "/v1"),
        ("public", 8080, "a.example.com", "/v1/*"),
        ("public", 8080, "a.example.com", "/v2"),
        ("public", 8080, "a.example.com", "/v2/*"),
    }
    assert (api.fixed, api.replicas, api.least, api.most) == ((9000,), 1, 0, 1), "9000 cannot be moved"


def test_trainers_come_after_those_whose_models_they_load() -> None:
    """Whatever their names; a job that produces nothing is no trainer."""
    found = of(
        """\
  models: [{name: base}, {name: tuned}]
  jobs:
    - {name: a-tuner, image: train, loads: [base], produces: [tuned]}
    - {name: b-trainer, image: train, produces: [base], retries: {onLostCapacity: 5}}
    - {name: c-report, image: train, loads: [tuned], command: [python, -m, train.report]}
"""
    )
    assert [each.name for each in found.trainers] == ["b-trainer", "a-tuner"]
    assert [each.name for each in found.jobs] == ["a-tuner", "b-trainer", "c-report"]
    assert found.job("b-trainer").attempts == 6
    assert found.job("c-report").loads == {"tuned": "current"}
    with pytest.raises(Unknown, match="there is no job `x`; there are: a-tuner, b-trainer, c-report"):
        found.job("x")


def test_a_trigger_is_found_by_its_name() -> None:
    """Of several of one name, the job's says which."""
    found = of(
        """\
  jobs:
    - name: a
      image: train
      triggers:
        - {name: nightly, schedule: {cron: "0 1 * * *"}}
        - {name: weekly, schedule: {cron: "0 1 * * 0"}}
    - {name: b, image: train, triggers: [{name: nightly, schedule: {cron: "0 2 * * *"}}]}
"""
    )
    job, name = found.triggered("weekly")
    assert (job.name, name) == ("a", "weekly")
    job, name = found.triggered("b.nightly")
    assert (job.name, name) == ("b", "nightly")
    with pytest.raises(Unknown, match=r"several jobs have a trigger `nightly`: say a\.nightly or b\.nightly"):
        found.triggered("nightly")
    with pytest.raises(Unknown, match="there is no trigger `x`; there are: nightly, weekly, nightly"):
        found.triggered("x")


def test_tasks_are_read_as_ecs_reads_them() -> None:
    """The main container, the folder of its image, and its volumes."""
    found = of(
        """\
  volumes: [{name: cache, efs: {}}]
  workers:
    - name: ticker
      image: app
      command: [python, -m, app.tick]
      volumes: [{name: space, emptyDir: {}}]
      volumeMounts: [{name: cache, mountPath: /cache, readOnly: true}, {name: space, mountPath: /space}]
    - {name: cacher, image: "redis:7"}
"""
    )
    tasks = {each.name: each for each in found.tasks}
    ticker, cacher = tasks["ticker"], tasks["cacher"]
    assert ticker.container["entryPoint"] == ["python", "-m", "app.tick"]
    assert (ticker.kind, ticker.context, ticker.folder) == ("worker", Path("/project/app"), Path("/project"))
    assert sorted(ticker.mounts) == [
        LocalMount("cache", "/cache", read_only=True, outlives=True),
        LocalMount("space", "/space"),
        LocalMount("tmp", "/tmp"),
    ]
    assert ticker.is_program
    assert not cacher.is_program
    assert cacher.container["image"] == "redis:7"


def test_what_a_laptop_has_not_is_said() -> None:
    """A sentence for each thing of the pipeline that does not happen here."""
    found = of(
        """\
  capacity: [{name: gpu, ec2: {instanceTypes: [g5.xlarge]}}]
  volumes: [{name: cache, efs: {}}]
  loadBalancers:
    - name: public
      certificates: ["arn:aws:acm:eu-west-1:123456789012:certificate/a0b1c2d3-0000-0000-0000-000000000000"]
  jobs:
    - name: trainer
      image: train
      capacity: gpu
      resources: {gpu: 1, cpu: "2", memory: 8Gi}
      triggers: [{name: weekly, schedule: {cron: "0 1 * * 0"}}]
  services:
    - name: api
      image: app
      volumeMounts: [{name: cache, mountPath: /cache}]
      replicas: {min: 2, max: 4, metrics: {cpu: 70%}}
      deployment: {canary: {}}
      ingress: [{name: web, loadBalancer: public}]
"""
    )
    assert found.absent == (
        "pool gpu, g5.xlarge: all runs on this machine",
        "volume cache: a folder; `env`, `command` and `args` that name its path are pointed there, "
        "what stands in a program's own code needs --containers",
        "HTTPS of balancer public: plain HTTP",
        "scaling of api: 2 all the time",
        "canary deployment of api: rolling",
        "1 GPU of trainer: as many as programs find on this machine",
        "trigger weekly of trainer: by hand, with `mlopsgen local trigger weekly`",
        "alarms and dashboards",
    )
