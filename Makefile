# The only task runner. `make` prints this help. Nothing here touches the system's Python.
SHELL := /bin/bash
.DEFAULT_GOAL := help
UV := $(shell command -v uv 2>/dev/null || echo .tools/uv/bin/uv)
PYTHON ?= python3
export UV_PROJECT_ENVIRONMENT ?= $(CURDIR)/.venv
RUN := $(UV) run --frozen

.PHONY: help
help:  ## Print this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.tools/uv/bin/uv:
	@bash tests/fixtures/fetch_uv.sh "$(PYTHON)" .tools/uv
