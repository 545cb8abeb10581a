"""What a workload gets because of its `egress`: the rules outwards of its security group."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.model.binding import Binding, WayOut
from mlopsgen.model.plan import FlowEdge, FlowNode
from mlopsgen.model.site import Site
from mlopsgen.model.workload import HTTPS, Workload
from mlopsgen.parts.network import ranges


def bind(site: Site, workload: Workload) -> Binding:
    """Each way out to each of its peers, and AWS in the network where HTTPS to everywhere is closed."""
    declared = sorted(workload.spec.egress, key=lambda each: each.name)
    drawn = [each for each in declared if each.to]
    return Binding(
        ways_out=tuple(_ways(site, workload)),
        declarations=(
            *(FlowNode(f"egress:{each.name}:{each.port}", each.name, "store") for each in drawn),
            *(
                FlowEdge(workload.name, f"egress:{each.name}:{each.port}", f"connects to {each.port}")
                for each in drawn
            ),
        ),
    )


def _ways(site: Site, workload: Workload) -> Iterator[WayOut]:
    for each in sorted(workload.ways_out, key=lambda each: (each.name != "https", each.name)):
        description = "HTTPS" if each.name == "https" else f"Way out {each.name}"
        for peer in sorted(set(each.to)):
            yield WayOut(peer, each.port, description)
    if workload.enclosed:
        for cidr in ranges(site):
            yield WayOut(cidr, HTTPS, "AWS, by endpoints of the network")
