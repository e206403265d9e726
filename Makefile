# Everything a newcomer needs; each target prepares what it needs by itself.
PYTHON ?= python3
EXAMPLES ?= 1000
RUN := .venv/bin/
.DEFAULT_GOAL := help
.PHONY: help setup demo test soak mutants lint bench lock

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/'

setup: .venv/.ready ## make the environment in .venv

.venv/.ready: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "claimd needs Python 3.11 or later: make PYTHON=python3.11 setup"; exit 2; }
	@echo "Making the environment in .venv: a minute or two, once."
	@$(PYTHON) -m venv .venv
	@$(RUN)python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(RUN)python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch .venv/.ready

demo: setup ## see the whole thing work on a demo file
	@$(RUN)claimd demo

test: setup ## the whole test suite, on servers that it starts itself
	@$(RUN)python -m pytest -n 2 --dist worksteal

soak: setup ## half an hour of load and faults (MINUTES=), told as a table (PAGE= to put it there); 1,000 examples (EXAMPLES=)
	@$(RUN)python -m tests.soak $(PAGE)
	@MODEL_EXAMPLES=$(EXAMPLES) $(RUN)python -m pytest tests/crash/model

mutants: setup ## known bugs, put into a copy one by one: each is found by a test
	@$(RUN)python scripts/mutants.py

lint: setup ## style, types and import layers
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)lint-imports

bench: setup ## the measurements of the README
	$(RUN)claimd bench

lock: setup ## renew the locked dependencies
	$(RUN)uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --output-file requirements.txt
	$(RUN)uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev --constraint requirements.txt pyproject.toml --output-file requirements-dev.txt
