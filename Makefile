# The two commands of the README are `make demo` and `make test`. All that they make stays in this folder.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
PYTHON ?= python3.11

# Servers and libraries tell nobody that they run, and keep their files here. Relative: the path may hold spaces.
export DO_NOT_TRACK := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT := false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 120
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export PREFECT_HOME := .prefect
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH

ON_PATH := PATH="$$PWD/.venv/bin:$$PATH" PREFECT_HOME="$$PWD/.prefect"

.PHONY: oracle help demo demo-all up down test lint check-fresh lock clean

help:
	@echo "make demo         bring the small invented world through the whole pipeline (10 minutes, or up to twice that, 2 cores)"
	@echo "make demo-all     every method there is, in a workspace of its own; its pages: reports/demo-all (an hour of CPU time)"
	@echo "make up           Prefect's server, a worker and the pages on this machine, with the deployments; make down ends them"
	@echo "make oracle       guidances where the exact posterior is known, as a table"
	@echo "make test         style, types and tests"
	@echo "make check-fresh  both, in a fresh clone"
	@echo "make lock         regenerate constraints.txt from the newest versions that pyproject.toml allows"
	@echo "make clean        remove everything that the commands made"

.venv/.ready: pyproject.toml constraints.txt scripts/check_python.sh
	@bash scripts/check_python.sh "$(PYTHON)"
	@echo "installing into .venv (2 to 4 minutes, once)"
	@"$(PYTHON)" -m venv .venv
	@# Python compiles what it imports when it does; most of what is installed it never will.
	@.venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/.ready
	@$(ON_PATH) .venv/bin/python -m flows.build
	@$(ON_PATH) .venv/bin/finescale report

demo-all: .venv/.ready
	@$(ON_PATH) .venv/bin/python -m flows.build demo-all
	@$(ON_PATH) .venv/bin/finescale report --preset demo-all

up down: .venv/.ready
	@$(ON_PATH) .venv/bin/python -m flows.operate $@

oracle: .venv/.ready
	@.venv/bin/python benchmarks/oracle.py

lint: .venv/.ready
	@.venv/bin/ruff check src flows tests benchmarks
	@.venv/bin/ruff format --check src flows tests benchmarks
	@.venv/bin/mypy

test: lint
	@$(ON_PATH) .venv/bin/python -m pytest -m "not slow" -n 2 --dist loadfile

check-fresh:
	@bash scripts/check_fresh.sh

lock:
	@bash scripts/lock.sh "$(PYTHON)"

clean:
	rm -rf .venv .prefect .cache .workspaces .dvc/cache .dvc/tmp data models reports mlruns/mlflow.db mlruns/artifacts
