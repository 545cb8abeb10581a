"""Makes the table of instance types anew: `python -m mlopsgen.aws.refresh` (needs moto and cfn-lint)."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files
from typing import Any

from mlopsgen.aws.instance_types import TABLE


def main() -> None:
    """Write the table."""
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
    lines = ["# " + "\t".join(regions)]
    for name in sorted(hardware):
        bits = sum(1 << place for place, region in enumerate(regions) if name in offers[region])
        if bits:
            lines.append("\t".join(map(str, _facts(name, hardware[name], bits))))
    TABLE.write_text("\n".join(lines) + "\n")


def _facts(name: str, info: dict[str, Any], bits: int) -> tuple[object, ...]:
    gpus = sum(
        gpu["Count"] for gpu in info.get("GpuInfo", {}).get("Gpus", ()) if gpu["Manufacturer"] == "NVIDIA"
    )
    arm = "arm64" in info["ProcessorInfo"]["SupportedArchitectures"]
    cpus, memory = info["VCpuInfo"]["DefaultVCpus"], info["MemoryInfo"]["SizeInMiB"]
    interfaces = info["NetworkInfo"]["MaximumNetworkInterfaces"]
    return name, cpus, memory, gpus, interfaces, "arm64" if arm else "x86_64", f"{bits:x}"


if __name__ == "__main__":
    main()
