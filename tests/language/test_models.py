"""The models of the language: what holds where nothing is written, and what each map takes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from mlopsgen.components.balancers.spec import internal, public
from mlopsgen.components.buckets.spec import data_bucket
from mlopsgen.components.capacity.spec import fargate, fargate_spot
from mlopsgen.components.monitoring.spec import (
    AlarmSpec,
    JobAlarmsSpec,
    PercentAlarmSpec,
    ServiceAlarmsSpec,
    WorkerAlarmsSpec,
)
from mlopsgen.components.network.spec import NetworkSpec
from mlopsgen.components.services.spec import BlueGreenSpec, DeploymentSpec, ServiceSpec
from mlopsgen.components.workers.spec import WorkerSpec
from mlopsgen.language.base import Choice, Either, Implied
from mlopsgen.language.defaults import with_defaults
from mlopsgen.language.reference import docstrings, is_later, key, models, submodel
from mlopsgen.language.writing import default, written
from mlopsgen.model.alarms import DEFAULT_ALARMS, Alarm, merged
from mlopsgen.model.pipeline import Pipeline, PipelineSpec
from mlopsgen.source.node import Mapping, plain
from tests.language.example import example, loaded, tree

MODELS = models(Pipeline)


def smallest(**spec: Any) -> dict[str, Any]:
    """A pipeline that says no more than it must."""
    return {
        "apiVersion": "mlopsgen.io/v1",
        "kind": "Pipeline",
        "metadata": {"name": "demo"},
        "spec": {"aws": {"region": "eu-west-1"}, **spec},
    }


def test_smallest_pipeline_has_every_default():
    """A region is all that must be said; the rest is safe as it is."""
    spec = loaded(smallest()).spec
    assert spec.network.vpc is not None
    assert (spec.network.vpc.cidr, spec.network.vpc.nat_gateways) == ("10.0.0.0/16", "single")
    assert spec.network.vpc.flow_logs.enabled
    assert spec.encryption.own is not None
    assert spec.delivery is None
    assert spec.monitoring.logs.retention == 30 * 86400


def test_workloads_differ_in_their_defaults():
    """Services come in twos, listen on 8080 and stop in half a minute; workers are alone and take two."""
    spec = loaded(
        smallest(
            services=[{"name": "api", "image": "app"}],
            workers=[{"name": "indexer", "image": "app"}],
            jobs=[{"name": "report", "image": "app"}],
        )
    ).spec
    (api,), (indexer,), (report,) = spec.services, spec.workers, spec.jobs
    assert [(port.name, port.port, port.app_protocol) for port in api.ports] == [("http", 8080, "http")]
    assert (api.replicas.min, indexer.replicas.min) == (2, 1)
    assert (api.stop_timeout, indexer.stop_timeout, report.stop_timeout) == (30, 120, 120)
    assert (api.capacity, api.resources.cpu, api.resources.memory) == ("fargate", 1024, 2048)
    assert (report.timeout, report.retries.on_lost_capacity) == (6 * 3600, 2)


EXISTING = {"vpcId": "vpc-0123456789abcdef0", "cidrs": ("10.0.0.0/16",)}


@pytest.mark.parametrize(
    ("given", "chosen"), [({}, "vpc"), ({"vpc": {}}, "vpc"), ({"existing": EXISTING}, "existing")]
)
def test_default_choice_holds_when_none_stands(given: dict[str, Any], chosen: str):
    """`network: {}` is a new VPC, and an existing one is no new one."""
    network = NetworkSpec.model_validate(given)
    assert [name for name in ("vpc", "existing") if getattr(network, name) is not None] == [chosen]


def test_python_spells_a_choice_in_its_own_way():
    """A value that is built in Python chooses by the field's name as well."""
    assert DeploymentSpec(blue_green=BlueGreenSpec()).rolling is None
    assert DeploymentSpec().rolling is not None


def test_maps_with_a_default_choice_choose_it():
    """No map has a default choice that nothing makes."""
    marked = {
        name
        for name, model in MODELS.items()
        for field in model.model_fields.values()
        if any(isinstance(mark, Choice) and mark.default for mark in field.metadata)
    }
    assert marked == {name for name, model in MODELS.items() if issubclass(model, Either)}


def test_every_key_is_documented():
    """Whatever an editor offers, it can explain."""
    missing = [
        (name, field)
        for name, model in MODELS.items()
        for field in model.model_fields
        if field not in docstrings(model)
    ]
    assert missing == []
    assert [name for name, model in MODELS.items() if not model.__doc__] == []


def test_no_two_models_share_a_name():
    """Definitions of the JSON Schema go by the models' names."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [Pipeline]
    while waiting:
        model = waiting.pop()
        assert found.setdefault(model.__name__, model) is model
        below = [submodel(field.annotation) for field in model.model_fields.values()]
        waiting += [each for each in below if each is not None and found.get(each.__name__) is not each]


def test_reserved_keys_are_known():
    """A key that comes later is no unknown key, so that a rule can say which it is."""
    document = smallest(services=[{"name": "api", "image": "app", "sidecars": [{"name": "proxy"}]}])
    assert loaded(document).spec.services[0].sidecars == [{"name": "proxy"}]
    later = [key(name, field) for name, field in ServiceSpec.model_fields.items() if is_later(field)]
    assert {"labels", "publishes", "tracing"} <= set(later)


@pytest.mark.parametrize("word", ["ports", "ingress"])
def test_nothing_comes_into_a_worker(word: str):
    """A worker has no way in, so it has no words for one."""
    assert word not in {key(name, field) for name, field in WorkerSpec.model_fields.items()}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", 0, "replicas", "metrics", "cpu"), 70),
        (("services", 0, "ports"), []),
        (("jobs", 0, "produces"), ["a", "b"]),
        (("volumes", 0, "efs", "user"), 0),
        (("models", 0, "promotion", "policy"), "pullRequest"),
        (("services", 0, "replicas", "max"), 5001),
        (("services", 0, "nosuch"), 1),
        (("metadata",), {}),
    ],
)
def test_what_does_not_fit_is_refused(path: tuple[str | int, ...], value: object):
    """Units, bounds, words and keys are the language's own."""
    document = example()
    at = document["spec"]
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(ValidationError):
        loaded(document)


def test_things_that_are_there_have_the_names_that_the_language_keeps():
    """What is made without being declared is what the reference says is there."""
    implied = {
        name: mark.names
        for name, field in PipelineSpec.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Implied)
    }
    assert implied == {
        "buckets": (data_bucket().name,),
        "capacity": (fargate().name, fargate_spot().name),
        "load_balancers": (public().name, internal().name),
    }
    assert [prefix.name for prefix in data_bucket().prefixes] == ["raw", "processed", "models", "logs"]
    assert data_bucket().prefixes[3].expire_after == 90 * 86400
    spot = fargate_spot().fargate
    assert spot is not None
    assert spot.spot is not None
    assert (spot.spot.share, spot.spot.on_demand_base) == (100, 0)
    assert fargate().fargate is not None


def test_every_alarm_has_a_default():
    """Each alarm that is built holds by itself, and says in the reference above what and for how long."""
    kinds = {"services": ServiceAlarmsSpec, "workers": WorkerAlarmsSpec, "jobs": JobAlarmsSpec}
    for kind, model in kinds.items():
        built = [name for name, field in model.model_fields.items() if not is_later(field)]
        assert list(DEFAULT_ALARMS[kind]) == built
        for name, alarm in DEFAULT_ALARMS[kind].items():
            text = docstrings(model)[name]
            above = {None: "", 2000: "`2s`"}.get(alarm.above, f"`{alarm.above}%`")
            assert above in text
            assert kind == "jobs" or f"for {alarm.seconds // 60}m by default" in text


def percent(**fields: object) -> PercentAlarmSpec:
    return PercentAlarmSpec.model_validate(fields)


CPU = DEFAULT_ALARMS["services"]["cpu"]


@pytest.mark.parametrize(
    ("own", "base", "comes_to"),
    [
        (percent(), percent(), Alarm(True, 300, above=80)),
        (percent(), percent(above="90%"), Alarm(True, 300, above=90)),
        (percent(above="60%"), percent(above="90%", **{"for": "10m"}), Alarm(True, 600, above=60)),
        (percent(below="5%"), percent(above="90%"), Alarm(True, 300, below=5)),
        (percent(enabled=True), percent(enabled=False), Alarm(True, 300, above=80)),
        (percent(), percent(enabled=False, above="90%"), Alarm(False, 300, above=90)),
    ],
)
def test_own_alarms_go_before_the_pipelines(own: PercentAlarmSpec, base: PercentAlarmSpec, comes_to: Alarm):
    """Key by key, a thing's own, then `monitoring.alarms`, then the language's."""
    assert merged(own, base, CPU) == comes_to


def test_alarm_that_is_off_is_on_once_it_is_written():
    """Who gives a threshold wants the alarm."""
    off = CPU._replace(enabled=False)
    assert not merged(percent(), percent(), off).enabled
    assert merged(percent(above="60%"), percent(), off).enabled
    assert not merged(percent(above="60%", enabled=False), percent(), off).enabled
    assert merged(AlarmSpec(), AlarmSpec(), off).enabled is False


def test_value_says_itself_again():
    """What a loaded pipeline is written as loads to the same pipeline."""
    pipeline = loaded(example())
    said = {
        key(name, field): written(getattr(pipeline, name), field)
        for name, field in Pipeline.model_fields.items()
    }
    assert loaded(said) == pipeline
    assert said["spec"]["services"][0]["replicas"]["metrics"] == {
        "cpu": "70%",
        "requests": "20/s",
        "latency": "250ms",
    }
    assert said["spec"]["models"][0]["promotion"]["metrics"] == {
        "accuracy": {"atLeast": 0.88},
        "loss": {"atMost": 1},
    }


def test_defaults_are_shown_as_written():
    """A default has its unit, and a default choice is named."""
    fields = {name: MODELS[name].model_fields for name in MODELS}
    assert default(fields["PipelineSpec"]["network"]) == {"vpc": {}}
    assert default(fields["NetworkSpec"]["vpc"]) == {}
    assert default(fields["Ec2Spec"]["root_volume"]) == {"size": "100Gi"}
    assert default(fields["SpotSpec"]["share"]) == "100%"
    assert default(fields["ServiceSpec"]["ports"]) == [{"name": "http", "port": 8080}]


def test_tree_with_defaults_means_the_same():
    """`render --defaults` shows more and changes nothing."""
    node = tree()
    assert isinstance(node, Mapping)
    spec = node.get("spec")
    assert isinstance(spec, Mapping)
    spec = Mapping(tuple(pair for pair in spec.items if pair[0].text != "environments"), spec.span)
    node = Mapping(
        tuple((word, spec if word.text == "spec" else below) for word, below in node.items), node.span
    )
    pipeline = loaded(example())
    whole: Any = plain(with_defaults(node, pipeline))
    assert loaded(whole) == pipeline
    service = whole["spec"]["services"][0]
    assert (service["stopTimeout"], service["deployment"]["canary"]["stepTime"]) == ("30s", "5m")
    assert "rolling" not in service["deployment"]
    assert "sidecars" not in service
    assert whole["spec"]["workers"][0]["deployment"]["rolling"]["maxSurge"] == "0%"
    assert whole["spec"]["images"][0]["python"]["version"] == "3.11"
