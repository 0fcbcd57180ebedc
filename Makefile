# Two commands set everything up on a machine with Python >= 3.11 and make: `make demo` and `make test`.
# While you work, `make check` runs in a minute what needs no long compilation, no cluster and no browser.
# Another interpreter: `PYTHON=python3.12 make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
PYTEST := $(BIN)/python -m pytest -q
# Groups of tests, as tests/conftest.py makes and orders them, over several processes.
WORKERS := -n auto --dist loadgroup --no-loadscope-reorder

# Hundreds of processes import sigcube: they share its bytecode, also where a machine's setting is to keep none.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo check test fuzz lint types bench docs lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## install the pinned packages and sigcube itself into .venv

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sigcube needs Python 3.11 or newer; name one: PYTHON=python3.12 make ...")'
	@echo "setting up $(VENV): a few minutes, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup  ## sweep a mock survey, compare real systems, write two pages into demo/
	@$(BIN)/sigcube demo --out demo

check: setup  ## run the quick tests of every room, within a minute: for the inner loop
	$(PYTEST) -m "not slow and not cluster and not browser and not page" $(WORKERS)

test: setup  ## run every test, the slowest first, on all cores; those of the guide's numbers are with the guide
	$(PYTEST) -m "not page" $(WORKERS)

fuzz: setup  ## feed each reader 3,000 broken files, 25 times as many as `make test` does
	SIGCUBE_FUZZ=3000 $(PYTEST) tests/readers $(WORKERS) -k "fuzz or malformed"

lint: setup  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## mypy, strict
	$(BIN)/mypy

bench: setup  ## speed against other ways of doing the same work; prints the table
	$(BIN)/python -m tests.benchmarks

docs: $(DOCS_STAMP)  ## recompute the guide's numbers, build it into build/docs, and write cubes/README.md from the kinds of cubes
	$(PYTEST) -m page $(WORKERS)
	@$(BIN)/python -m tests.cube_documentation > cubes/README.md
	@rm -rf build/docs docs/reference/api
	@$(BIN)/python -m sphinx -E -W --keep-going --quiet -j auto -d build/doctrees docs build/docs
	@echo "the guide: build/docs/index.html"

$(DOCS_STAMP): $(STAMP) requirements-docs.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-docs.lock
	@touch $(DOCS_STAMP)

lock:  ## resolve the dependencies anew; run it with the oldest Python that is supported
	@rm -rf build/lock
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check ".[dev]" hatchling editables
	@build/lock/bin/python -m pip freeze --exclude sigcube > requirements.lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock ".[docs]"
	@build/lock/bin/python -m pip freeze --exclude sigcube | grep -vxFf requirements.lock > requirements-docs.lock
	@rm -rf build/lock
	@wc -l requirements.lock requirements-docs.lock

clean:  ## remove what was built here, but no cube and no result
	rm -rf $(VENV) build dist demo docs/reference/api .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find sigcube tests -name __pycache__ -type d -prune -exec rm -rf {} +
