"""What a workload gets because it `produces` and `loads` models."""

from __future__ import annotations

import json

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.components.models.spec import GateSpec, PromotionSpec
from mlopsgen.components.workloads.spec import WorkloadSpec
from mlopsgen.model.binding import Binding, together
from mlopsgen.model.names import variable
from mlopsgen.model.plan import FlowEdge, Grant
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload
from mlopsgen.parts.objects import decrypt, read, versions, write

PRODUCED = ("CHECKPOINT_URI", "MODEL_NAME", "MODEL_URI", "PROMOTION")
"""What a job learns of the model that it produces."""

ALONE = ("MODEL_NAME", "MODEL_URI", "MODEL_VERSION")
"""What a workload learns of the one model that it loads, beside the variables with the model's name."""


def bind(site: Site, workload: Workload) -> Binding:
    """What a job may write because it `produces`, and any workload may read because it `loads`."""
    produced, loaded = produced_by(workload.spec), sorted(set(workload.spec.loads))
    alone = len(loaded) == 1 and not produced
    return together(
        (
            Binding(),
            *(_produces(site, workload, name) for name in produced),
            *(_loads(site, workload, name, alone) for name in loaded),
        )
    )


def produced_by(spec: WorkloadSpec) -> tuple[str, ...]:
    """The models that a workload produces; only jobs do."""
    return spec.produces if isinstance(spec, JobSpec) else ()


def loaded_variables(model: str) -> tuple[str, str]:
    """The variables that say where a loaded model is, and which version: `SENTIMENT_MODEL_URI`."""
    return f"{variable(model)}_MODEL_URI", f"{variable(model)}_MODEL_VERSION"


def variables(spec: WorkloadSpec) -> tuple[str, ...]:
    """The names of all variables that a workload gets because of its models."""
    loaded = sorted(set(spec.loads))
    own = PRODUCED if produced_by(spec) else ALONE if len(loaded) == 1 else ()
    return (*own, *(name for each in loaded for name in loaded_variables(each)))


def _produces(site: Site, workload: Workload, name: str) -> Binding:
    model = site.model(name)
    store = versions(site, model)
    grants = (*read(store), *write(store))
    if model.promotion.policy == "manual":
        pointer = store.object("current.json")
        grants += (Grant(("s3:PutObject",), (pointer,), f"promotion of {name} is manual", effect="Deny"),)
    return Binding(
        environment=(
            ("CHECKPOINT_URI", store.below("checkpoints").uri),
            ("MODEL_NAME", name),
            ("MODEL_URI", store.uri),
            ("PROMOTION", promotion_json(model.promotion)),
        ),
        grants=(*decrypt(site, grants), *grants),
        declarations=(FlowEdge(workload.name, f"model:{name}", "produces"),),
    )


def _loads(site: Site, workload: Workload, name: str, alone: bool) -> Binding:
    model = site.model(name)
    store = versions(site, model)
    grants = read(store)
    uri, version = loaded_variables(name)
    own = (("MODEL_NAME", name), ("MODEL_URI", store.uri), ("MODEL_VERSION", model.version)) if alone else ()
    return Binding(
        environment=(*own, (uri, store.uri), (version, model.version)),
        grants=(*decrypt(site, grants), *grants),
        declarations=(FlowEdge(f"model:{name}", workload.name, "loads"),),
    )


def promotion_json(promotion: PromotionSpec) -> str:
    """The gate as a trainer reads it: `{"metrics":{"accuracy":{"atLeast":0.88}},"policy":"manual"}`."""
    gate = {
        "metrics": {name: _bounds(each) for name, each in promotion.metrics.items()},
        "policy": promotion.policy,
    }
    return json.dumps(gate, sort_keys=True, separators=(",", ":"))


def _bounds(gate: GateSpec) -> dict[str, float]:
    bounds = {"atLeast": gate.at_least, "atMost": gate.at_most}
    return {name: bound for name, bound in bounds.items() if bound is not None}
