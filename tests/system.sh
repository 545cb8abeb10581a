#!/usr/bin/env bash
# What the tests need of the system's own packages: a Chromium for the service's page, and the shells for which
# there is completion, and what makes digests in the commands that the README prints. Debian's packages are installed if something is missing.
set -euo pipefail
missing=()
for program in chromium fish openssl zsh; do
  command -v "$program" >/dev/null || missing+=("$program")
done
if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "install ${missing[*]}, so that they are on the PATH: there is no apt-get to do it" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install --yes --no-install-recommends -qq "${missing[@]}" fonts-dejavu-core >/dev/null
command -v "${missing[@]}" >/dev/null
