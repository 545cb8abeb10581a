"""What a workload gets because it `reads` and `writes` prefixes."""

from __future__ import annotations

from mlopsgen.model.binding import Binding
from mlopsgen.model.names import variable
from mlopsgen.model.plan import FlowEdge
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload
from mlopsgen.parts.objects import decrypt, folder, folders, read, write


def bind(site: Site, workload: Workload) -> Binding:
    """Read what it `reads`, write what it `writes`, and learn where both are."""
    reads, writes = workload.spec.reads, workload.spec.writes
    grants = (
        *(grant for each in folders(site, reads) for grant in read(each)),
        *(grant for each in folders(site, writes) for grant in write(each)),
    )
    return Binding(
        environment=tuple((uri_variable(name), folder(site, name).uri) for name in sorted({*reads, *writes})),
        grants=(*decrypt(site, grants), *grants),
        declarations=(
            *(FlowEdge(f"prefix:{name}", workload.name, "reads") for name in sorted(set(reads))),
            *(FlowEdge(workload.name, f"prefix:{name}", "writes") for name in sorted(set(writes))),
        ),
    )


def uri_variable(prefix: str) -> str:
    """The variable that says where a prefix is: `RAW_URI`."""
    return f"{variable(prefix)}_URI"
