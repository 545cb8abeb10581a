#!/usr/bin/env bash
# Compares what an editor says of a pipeline full of faults with what it should say, by the YAML language server
# that editors use. `tests/editor/run.sh --bless` accepts what it says now.
#
# Needs npm, which installs the server below .tools once. Without npm it says that the check was left out, and
# ends with 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=1.25.0
folder=.tools/yaml-language-server-$version
server=$folder/node_modules/yaml-language-server/bin/yaml-language-server
if [ ! -f "$server" ]; then
  if ! command -v npm >/dev/null; then
    echo "tests/editor: LEFT OUT: there is no npm here, so the YAML language server was not asked." >&2
    exit 0
  fi
  npm install --silent --no-save --no-audit --no-fund --prefix "$folder" "yaml-language-server@$version"
fi
exec .venv/bin/python -m tests.editor.check "$@" node "$server" --stdio
