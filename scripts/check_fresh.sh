#!/usr/bin/env bash
# Clone into a fresh folder whose name has a space, run both README commands there, and compare the results:
# the demo must reproduce the committed dvc.lock.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet . "$work/fine scale"
cd "$work/fine scale"
make demo
git diff --exit-code --stat dvc.lock dvc.yaml
make demo
make test
