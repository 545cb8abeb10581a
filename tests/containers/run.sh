#!/usr/bin/env bash
# Builds the generated Dockerfiles and runs them as ECS would, where a container engine can be had.
#
#   tests/containers/run.sh            everything
#   tests/containers/run.sh small      only the small projects of tests/local, without the pipeline's own images
#
# Uses the engine that answers. Else, where ../shared/containers/with-engine is and may start one, that one.
# Else it says that the check was left out, and ends with 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$PWD/.venv/bin/python
check=("$python" -m tests.containers.check "${1:-all}")

for engine in docker podman; do
  if command -v "$engine" >/dev/null && "$engine" info >/dev/null 2>&1; then
    exec "${check[@]}"
  fi
done
starter=../shared/containers/with-engine
if [ -x "$starter" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "tests/containers: no engine answers; starting one of its own"
  exec "$starter" "${check[@]}"
fi
echo "tests/containers: LEFT OUT: neither Docker nor Podman answers here, so no image was built or run." >&2
