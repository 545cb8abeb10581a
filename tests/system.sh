#!/usr/bin/env bash
# Chromium for the tests of the service's page: Debian's own package, installed if it is missing.
set -euo pipefail
if command -v chromium >/dev/null; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo 'chromium is missing, and there is no apt-get: install Chromium so that "chromium" is on the PATH' >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install --yes --no-install-recommends -qq chromium fonts-dejavu-core >/dev/null
command -v chromium >/dev/null
