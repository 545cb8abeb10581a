# `make demo` shows the main job; `make test` passes the tests. Both set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test check build bless clean

demo: $(VENV)/.demo
	$(BIN)/mlopsgen build pipeline.yaml
	$(BIN)/mlopsgen local up --env dev

test: $(VENV)/.dev .tools/checkov/.installed
	bash tests/browser.sh
	$(BIN)/pytest -n 2 --dist loadfile

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mlopsgen build pipeline.yaml --check

build: $(VENV)/.core
	$(BIN)/mlopsgen build pipeline.yaml

# Accept what the compiler writes now as what is expected; review the diff like code.
bless: $(VENV)/.dev
	$(BIN)/pytest -n 2 --bless tests/test_golden.py tests/test_errors.py tests/cli/test_language.py
	$(BIN)/mlopsgen build pipeline.yaml

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[local,train,serve]'
	touch $@ $(VENV)/.core

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[local,dev,train,serve]'
	touch $@ $(VENV)/.core $(VENV)/.demo

# checkov pins versions of what mlopsgen's other tools need newer, so it has an environment of its own.
.tools/checkov/.installed:
	$(PYTHON) -m venv .tools/checkov
	.tools/checkov/bin/pip install --quiet --upgrade pip
	.tools/checkov/bin/pip install --quiet 'checkov>=3.2'
	touch $@

clean:
	rm -rf $(VENV) .tools
