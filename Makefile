# `make run` trains on the embedded images, `make test` runs the tests; both set up .venv first where it is missing.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow lint schema docs pictures audit wheel image bench chaos mutants pins clean

VENV := .venv
PYTHON_IN := $(VENV)/bin/python
PIP := $(PYTHON_IN) -m pip install --disable-pip-version-check --constraint requirements.txt
UV := $(VENV)/bin/uv pip install --python $(PYTHON_IN) --compile-bytecode --constraint requirements.txt
PINNED := gpu joblib slurm cmaes postgres mysql dashboard pacs docs dev mutants
PYTEST = $(PYTHON_IN) -m pytest --numprocesses $(WORKERS) --dist worksteal --durations 15
ARGS ?=
WORKERS ?= logical
MINUTES ?= 20
MUTANTS ?= 40
SEED ?= 1
# Bytecode is kept, whatever the environment says: without it every command and worker compiles srexp and its tests anew.
export PYTHONDONTWRITEBYTECODE :=

# The newest supported Python that really starts (a pyenv shim may not) and can make virtual environments.
SUPPORTED := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	if $$name -c '$(SUPPORTED)' >/dev/null 2>&1; then echo $$name; break; fi; done)

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(VENV)/.installed ## Create .venv and install the pinned dependencies

run: $(VENV)/.installed ## Train and score on the embedded images; ARGS="model=vdsr optimizer.lr=1e-4" overrides
	$(PYTHON_IN) -m srexp $(ARGS)

test: $(VENV)/.installed-dev ## Run the test suite but for its slow lane; ARGS="-k split" passes on to pytest
	$(PYTEST) $(ARGS)

test-slow: $(VENV)/.installed-dev ## Run the slow lane: kills, outages, databases, a browser, long stories
	$(PYTEST) -m slow $(ARGS)

lint: $(VENV)/.installed-dev ## Check style, formatting, types and layers
	$(PYTHON_IN) -m ruff check .
	$(PYTHON_IN) -m ruff format --check .
	$(PYTHON_IN) -m mypy
	$(VENV)/bin/lint-imports

schema: $(VENV)/.installed ## Write conf/**/schema.json, for editors and for help, from the typed sections and the comments of conf/
	$(PYTHON_IN) -m srexp.config.reference.json_schema

docs: $(VENV)/.installed-dev ## Build the documentation into build/site, strictly and without network
	NO_MKDOCS_2_WARNING=1 $(PYTHON_IN) -m mkdocs build --quiet
	@echo "Built build/site; to read it: $(PYTHON_IN) -m http.server --bind 127.0.0.1 --directory build/site"

pictures: $(VENV)/.installed-dev ## Train on the embedded images and take the pictures of README, the tutorial and the page of serve anew
	$(PYTHON_IN) docs/pictures.py
	SREXP_PICTURES=$(CURDIR)/docs/pictures $(PYTHON_IN) -m pytest -m "" -k every_screen tests/stories/test_page.py

wheel: $(VENV)/.installed-dev ## Build dist/srexp-VERSION.whl, install it by itself, and train with it in an empty folder
	rm -f dist/*.whl
	$(PYTHON_IN) -m hatchling build -t wheel -d dist
	$(PYTHON_IN) -m venv --clear build/wheel
	$(VENV)/bin/uv pip install --quiet --python build/wheel/bin/python --constraint requirements.txt dist/*.whl
	empty=$$(mktemp -d) && cd $$empty && unset SREXP_ROOT PYTHONPATH && $(CURDIR)/build/wheel/bin/srexp +debug=fast && \
		test -f mlruns/mlflow.db && rm -rf $$empty $(CURDIR)/build/wheel

image: ## Build the image srexp from the Dockerfile, and train in it
	docker build --tag srexp .
	docker run --rm srexp +debug=fast

bench: $(VENV)/.installed-dev ## Measure what srexp takes beside plain Keras, Hydra and ONNX Runtime; ARGS="--only train" for a part, ARGS=--list
	$(PYTHON_IN) -m tests.benchmarks.ratios $(ARGS)

chaos: $(VENV)/.installed-dev ## Kill, starve and spoil commands at random; MINUTES=20 SEED=1
	$(PYTHON_IN) -m tests.chaos --minutes $(MINUTES) --seed $(SEED)

mutants: $(VENV)/.installed-mutants ## Plant small faults, count those that tests find; MUTANTS=40 of each file (0: all) SEED=1 ARGS="--only gate"
	$(PYTHON_IN) -m tests.mutants --mutants $(MUTANTS) --seed $(SEED) $(ARGS)

audit: $(VENV)/.installed ## Write dist/srexp-VERSION.cdx.json, the bill of materials, and look for known holes in it
	$(PYTHON_IN) .ci/sbom dist
	$(PYTHON_IN) .ci/audit

pins: $(VENV)/.installed ## Fit requirements.txt to the bounds in pyproject.toml; ARGS=--upgrade takes the newest
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 $(PINNED:%=--extra %) --no-annotate \
		--custom-compile-command "make pins" pyproject.toml --output-file requirements.txt $(ARGS)

clean: ## Remove .venv and caches; runs in mlruns/ stay
	rm -rf $(VENV) build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find srexp tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml requirements.txt
	@test -n "$(PYTHON)" || { echo "srexp needs Python 3.11, 3.12 or 3.13 with venv; none was found." \
		"Name one: make setup PYTHON=/path/to/python3.12"; exit 2; }
	@$(PYTHON_IN) -m pip --version >/dev/null 2>&1 || { echo "Creating $(VENV) with $(PYTHON)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing what srexp needs (3 GB on disk, one to a few minutes)"
	@$(PIP) --quiet uv
	$(UV) --editable . || $(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(UV) --editable ".[dev]" || $(PIP) --editable ".[dev]"
	@touch $@

$(VENV)/.installed-mutants: $(VENV)/.installed-dev
	$(UV) --editable ".[dev,mutants]" || $(PIP) --editable ".[dev,mutants]"
	@touch $@
