# Everything a person or CI runs here. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
CLUSTER ?= local
WORKERS ?= 0

.PHONY: help setup up down synth check format test test-cdktf test-upstream bench lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.installed ## Install everything locally: Python packages into .venv, outside programs into the cache
	@$(BIN)/python -m blackstart toolchain install

up: setup ## Bring the cluster to Ready (CLUSTER=local)
	@$(BIN)/python -m blackstart --cluster $(CLUSTER) up

down: setup ## Destroy the cluster (CLUSTER=local)
	@$(BIN)/python -m blackstart --cluster $(CLUSTER) down

synth: setup ## Synthesize the Terraform stacks of CLUSTER into cdktf.out
	@BLACKSTART_CLUSTER=$(CLUSTER) $(BIN)/python main.py

check: .venv/.installed ## Formatting, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/.installed ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: setup ## Every test, those on embedded clusters included (WORKERS=2: two side by side)
	$(BIN)/python -m pytest --ignore=tests/cdktf --numprocesses=$(WORKERS)

test-cdktf: setup ## The stacks deployed by the cdktf command line
	@$(BIN)/python -m blackstart toolchain install cdktf
	$(BIN)/python -m pytest tests/cdktf

test-upstream: setup ## The pinned charts of their own projects, pulled and rendered (needs the internet)
	BLACKSTART_UPSTREAM=1 $(BIN)/python -m pytest -m upstream

bench: setup ## Measure speed as ratios, write bench/results.json (ten minutes on an idle machine; MEASURES="noop fleet")
	$(BIN)/python -m bench $(MEASURES)

lock: .venv/.installed ## Lock the Python packages anew (needs uv)
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-header --no-annotate --universal \
	  --python-version 3.11 --quiet -o requirements.lock

clean: ## Remove what is made here: .venv, caches, cdktf.out (clusters and the toolchain's cache stay)
	rm -rf .venv cdktf.out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Hint: Python >= 3.11 is needed; name it with: make setup PYTHON=python3.12' >&2; exit 3; }
	@$(PYTHON) -m venv .venv || \
	  { echo 'Hint: this Python has no venv module; on Debian: apt-get install python3-venv' >&2; exit 3; }
	@echo 'installing the Python packages of requirements.lock into .venv'
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
