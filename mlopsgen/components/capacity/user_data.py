"""What an instance runs when it starts: the ECS agent's settings, and the watch over spot capacity."""

from __future__ import annotations

from collections.abc import Sequence

from mlopsgen.components.capacity.spec import Ec2Spec
from mlopsgen.model.workload import JOB, Workload

# ECS drains a spot instance that is about to go of the tasks of services, and leaves other tasks to their
# fate (Amazon ECS developer guide, "Draining Amazon ECS container instances"). So the instance itself ends
# the runs when its notice comes, two minutes ahead, and the programs have time to save.
_WATCH = """\
cat >/usr/local/sbin/watch-spot <<'WATCH'
#!/bin/bash
metadata=http://169.254.169.254/latest
token() {
  curl --silent --fail --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token"
}
until curl --silent --fail --output /dev/null --header "X-aws-ec2-metadata-token: $(token)" \\
  "$metadata/meta-data/spot/instance-action"; do
  sleep 5
done
CONTAINERS |
  xargs --no-run-if-empty docker stop --time SECONDS
WATCH
chmod 755 /usr/local/sbin/watch-spot
systemd-run --unit=watch-spot --collect /usr/local/sbin/watch-spot
"""

# Seconds of the two minutes; the others are for ECS to hear how the runs ended.
_NOTICE = 110


def user_data(cluster: str, spec: Ec2Spec, users: Sequence[Workload], *, gpus: bool) -> str:
    """The script of an instance that `users` run on.

    Settings are the agent's (Amazon ECS developer guide, "Amazon ECS container agent configuration").
    """
    settings = {
        "ECS_AWSVPC_BLOCK_IMDS": "true",
        "ECS_CLUSTER": cluster,
        "ECS_CONTAINER_STOP_TIMEOUT": f"{max((each.stop_timeout for each in users), default=30)}s",
        "ECS_ENABLE_SPOT_INSTANCE_DRAINING": "true",
    }
    if gpus:
        settings["ECS_ENABLE_GPU_SUPPORT"] = "true"
    lines = "".join(f"{name}={value}\n" for name, value in sorted(settings.items()))
    jobs = [each for each in users if each.kind is JOB]
    watch = _watch(jobs) if spec.spot and jobs else ""
    return f"#!/bin/bash\nset -eu\ncat >>/etc/ecs/ecs.config <<'SETTINGS'\n{lines}SETTINGS\n{watch}"


def _watch(jobs: Sequence[Workload]) -> str:
    """Stops the containers of `jobs`; of several filters by label, docker wants all to hold."""
    found = [
        f"docker ps --quiet --filter label=com.amazonaws.ecs.container-name={each.name}" for each in jobs
    ]
    containers = found[0] if len(found) == 1 else "{{\n  {}\n}}".format("\n  ".join(found))
    seconds = min(max(each.stop_timeout for each in jobs), _NOTICE)
    return _WATCH.replace("CONTAINERS", containers).replace("SECONDS", str(seconds))
