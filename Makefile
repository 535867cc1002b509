# Everything runs in .venv, which is made when it is missing or older than pyproject.toml or constraints.txt.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= demo
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast check format lab services services-stop wheel bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## build the demo lake, run every notebook on it, write demo/report/index.html
	$(BIN)/datalake-kit demo $(DEMO)/lake --report $(DEMO)/report

test: $(STAMP) ## run all tests, a file at a time in as many processes as there are cores (at most WORKERS)
	$(BIN)/python -m pytest -n auto --maxprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: $(STAMP) ## run the tests that take seconds
	$(BIN)/python -m pytest -m "not slow and not external"

check: $(STAMP) ## lint, format, types, import directions, exported names, notebook structure
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/checks

format: $(STAMP) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lab: $(STAMP) ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

services: ## start a MariaDB and a PostgreSQL of one's own on free ports, print their URLs
	$(PYTHON) tests/services.py start

services-stop: ## stop them and remove their data
	$(PYTHON) tests/services.py stop

wheel: $(STAMP) ## build the wheel and the source archive into dist/
	$(BIN)/python -m build --outdir dist

bench: $(STAMP) ## print the figures of the README
	$(BIN)/python benchmarks/run_all.py

clean: ## remove .venv, the demo and what builds leave
	rm -rf $(VENV) $(DEMO) dist build .pytest_cache .mypy_cache .ruff_cache

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "datalake_kit needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing). Name another one: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) lacks the venv module. Install it (Debian, Ubuntu: apt install python3-venv) and run make again."; exit 2; }
	@echo "Installing into $(VENV) ..."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[notebooks,source,dev]'
	@touch $@
