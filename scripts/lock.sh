#!/usr/bin/env bash
# Resolve pyproject.toml anew in an empty environment and write what came out as constraints.txt.
set -euo pipefail
python=$1
cd "$(dirname "$0")/.."
bash scripts/check_python.sh "$python"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check '.[dev]'
{
  echo "# Every version of a working environment, made by scripts/lock.sh. Used as pip constraints:"
  echo "# a build of torch for an accelerator brings packages of its own, which are not listed."
  # A local version (+cpu) names one build; the plain version admits it and the others.
  "$work/venv/bin/python" -m pip freeze --exclude finescale | sed -E 's/^([^=@ ]+==[^+]+)\+.*$/\1/' | grep -v ' @ '
} > constraints.txt
wc -l constraints.txt
