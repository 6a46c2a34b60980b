# The only task runner; `make` prints this help. Nothing here touches the system's Python: uv, and every Python package
# that is downloaded, lives in .tools/ and .venv/ of this checkout.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Another project's active environment must not be synchronised, nor warned about.
unexport VIRTUAL_ENV PYTHONHOME
# Without its bytecode, each of the many processes below would compile all that it imports again; `make clean` removes it.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
UV := $(shell bash .ci/find_uv.sh)
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
NEWEST_VENV := $(CURDIR)/.tools/newest-python
export UV_PROJECT_ENVIRONMENT := $(VENV)

PYTEST := $(BIN)/python -m pytest
PYTEST_ARGS ?=
# Tests share nothing between processes: each has its own servers, ports and folders. Files stay together, so that what a
# file's tests share is made once. The numbers are for two cores: unit tests calculate, end-to-end tests mostly wait.
# TEST_WORKERS=2 on the command line takes their place.
test-unit test-newest: TEST_WORKERS ?= 2
test-integration: TEST_WORKERS ?= 3
test-e2e: TEST_WORKERS ?= 4
PYTHON_FILES := packages tests examples migrations

.PHONY: help
help:  ## Print this help
	@echo "Scheduler. Targets:"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.tools/uv/bin/uv:
	@bash .ci/fetch_uv.sh "$(PYTHON)" .tools/uv

# uv takes the first Python that is new enough from PATH, else from where uv keeps its own, else it fetches one.
define SAY_PYTHON
{ $(UV) python find '>=3.11' >/dev/null 2>&1 || \
    echo "Python 3.11 or newer is needed, and neither found nor fetched: install it, or put it first on PATH." >&2; \
  exit 1; }
endef

# What `make run` needs, beside whatever is there already.
.PHONY: install
install: | $(UV)
	@$(UV) sync --quiet --frozen --no-dev --inexact || $(SAY_PYTHON)

# What everything else needs: exactly what uv.lock says.
.PHONY: sync
sync: | $(UV)
	@$(UV) sync --quiet --frozen || $(SAY_PYTHON)

.PHONY: services
services:
	@bash .ci/install_services.sh

.PHONY: run
run: install  ## Start a complete system with the quickstart pipeline; Ctrl-C stops it
	@export SCHEDULER_ENV="$${SCHEDULER_ENV-development}" \
	    PYTHONPATH="$(CURDIR)/examples/quickstart$${PYTHONPATH:+:$$PYTHONPATH}"; \
	$(BIN)/python .ci/apply_when_ready.py $$$$ examples/quickstart/tasks.toml & \
	exec $(BIN)/scheduler up

.PHONY: test
test: sync services test-unit test-newest test-integration test-e2e bench-guard  ## Run every test: unit (on two Pythons), integration, end to end; and bench-guard

.PHONY: test-unit
test-unit: sync  ## Run the unit tests and the examples in docstrings
	@echo "== unit tests"
	@$(PYTEST) -q -n $(TEST_WORKERS) --dist loadfile tests/unit $(PYTEST_ARGS)
	@echo "== examples in docstrings"
	@$(PYTEST) -q --doctest-modules --ignore-glob='*/database/migrations' packages

.PHONY: test-newest
test-newest: sync  ## Run the unit tests on the newest Python of this machine, when that is another one
	@newest=$$(bash .ci/newest_python.sh $(BIN)/python); \
	if [ -z "$$newest" ]; then \
	    echo "== unit tests on a newer Python: this machine has none newer than $$($(BIN)/python -V)"; \
	else \
	    echo "== unit tests on $$("$$newest" -V)"; \
	    export UV_PROJECT_ENVIRONMENT=$(NEWEST_VENV); \
	    $(UV) sync --quiet --frozen --python "$$newest"; \
	    $(NEWEST_VENV)/bin/python -m pytest -q -n $(TEST_WORKERS) --dist loadfile -p no:cacheprovider tests/unit $(PYTEST_ARGS); \
	fi

.PHONY: test-integration
test-integration: sync services  ## Run the tests that need a real PostgreSQL and RabbitMQ
	@echo "== integration tests"
	@$(PYTEST) -q -n $(TEST_WORKERS) --dist loadfile tests/integration $(PYTEST_ARGS)

.PHONY: test-e2e
test-e2e: sync services  ## Run the tests that start the installed console scripts
	@echo "== end-to-end tests"
	@$(PYTEST) -q -n $(TEST_WORKERS) --dist loadgroup tests/e2e $(PYTEST_ARGS)

.PHONY: lint
lint: sync  ## Check style, types, arrows, import budgets, the lock file and that generated files are current
	@echo "== ruff" && $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "== mypy --strict" && $(BIN)/mypy $(PYTHON_FILES)
	@echo "== import arrows" && $(BIN)/lint-imports
	@echo "== import budgets" && $(PYTEST) -q tests/integration/import_budget_test.py
	@echo "== dependencies" && $(UV) lock --check && $(UV) pip check --python $(BIN)/python
	@echo "== spelling" && $(BIN)/codespell
	@echo "== generated files"
	@$(BIN)/python -m scheduler_core.config.documentation check
	@$(BIN)/scheduler-api openapi | diff -u docs/api/openapi.json - || { echo "docs/api/openapi.json is not current: run make openapi" >&2; exit 1; }

.PHONY: fmt
fmt: sync  ## Format the code and put right what ruff can
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .

.PHONY: docs
docs: sync openapi  ## Write the generated pages: docs/configuration.md, config/scheduler.toml, docs/api/openapi.json
	@$(BIN)/python -m scheduler_core.config.documentation write

.PHONY: openapi
openapi: sync  ## Write docs/api/openapi.json
	@$(BIN)/scheduler-api openapi --out docs/api/openapi.json

.PHONY: build
build: | $(UV)  ## Build the ten artifacts (five wheels, five sdists) into dist/
	@rm -rf dist && $(UV) build --quiet --all-packages --out-dir dist && ls -1 dist

.PHONY: bench
bench: sync  ## Measure throughput, or the workloads named in BENCH_ARGS (--help lists them); prints JSON lines
	@PYTHONPATH=tests $(BIN)/python -m benchmarks $(BENCH_ARGS)

.PHONY: bench-guard
bench-guard: sync  ## Compare short workloads with the commit before, in turns; fails beyond 30 %; about a minute
	@echo "== short workloads beside the commit before"
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.guard $(BENCH_ARGS)

.PHONY: bench-compare
bench-compare: sync services  ## Measure other systems beside this one, in turns (--help in BENCH_ARGS tells more); prints JSON lines
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.compare $(BENCH_ARGS)

.PHONY: bench-schedule
bench-schedule: sync  ## Measure how schedules are computed and fired; prints JSON lines
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.schedules $(BENCH_ARGS)

.PHONY: bench-flow
bench-flow: sync  ## Measure the steps of flows and flows of many runs; prints JSON lines
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.flows $(BENCH_ARGS)

.PHONY: bench-dispatch
bench-dispatch: sync  ## Measure whose turn it is and how many run at once, workers killed; prints JSON lines
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.dispatch $(BENCH_ARGS)

.PHONY: bench-worker
bench-worker: sync  ## Measure what jobs cannot do to a worker's host, and what workers cost; prints JSON lines
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.worker $(BENCH_ARGS)

.PHONY: torture
torture: sync services  ## Kill, freeze and cut off everything, thousands of times, and see that nothing is lost; 90 minutes
	@PYTHONPATH=tests $(BIN)/python -m torture $(TORTURE_ARGS)

.PHONY: torture-flow
torture-flow: sync  ## Run a thousand random flows while dispatchers are killed, and compare with a reference; some minutes
	@PYTHONPATH=tests $(BIN)/python -m torture.flows $(TORTURE_ARGS)

.PHONY: simulate
simulate: sync  ## Run a thousand seeds of a simulated system in which much fails; SIMULATE_ARGS="--seed 5" shows one of them
	@PYTHONPATH=tests $(BIN)/python -m simulation $(SIMULATE_ARGS)

.PHONY: dst-sweep
dst-sweep: sync  ## Compare the slots with an oracle, wherever clocks change in 2024 to 2027; about ten minutes
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.dst_sweep

.PHONY: clean
clean:  ## Remove what make has built and downloaded here; data in the state directory stays
	@rm -rf dist .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find packages tests examples migrations -name __pycache__ -type d -prune -exec rm -rf {} +
