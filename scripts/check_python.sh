#!/usr/bin/env bash
# Say in plain words what is missing before anything is installed.
set -u
python=$1
if ! command -v "$python" >/dev/null 2>&1; then
  echo "finescale needs Python 3.11 or 3.12: there is no '$python' on this machine." >&2
  echo "Install Python 3.11, or name another: make demo PYTHON=/path/to/python3.12" >&2
  exit 2
fi
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
  echo "finescale needs Python 3.11 or 3.12: '$python' is $("$python" --version 2>&1)." >&2
  echo "Install Python 3.11, or name another: make demo PYTHON=/path/to/python3.12" >&2
  exit 2
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  echo "finescale needs Python's venv module: '$python' has none (on Debian: apt install python3.11-venv)." >&2
  exit 2
fi
command -v git >/dev/null 2>&1 || echo "note: git is not installed; the pipeline runs, but versions of the code are not recorded." >&2
