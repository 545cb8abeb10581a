# `make demo` shows the main job; `make test` passes the tests. Both set up what they need first.
# NEWEST=1 takes the newest version of each package instead of the locked one, in environments of its own.
PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

ifdef NEWEST
VENV := .tools/newest
CHECKOV := .tools/newest-checkov
TRITON_CLIENT := .tools/newest-triton-client
else
VENV := .venv
CHECKOV := .tools/checkov
TRITON_CLIENT := .tools/triton-client
LOCKED := --constraint constraints.txt
LOCKED_BUILD := $(LOCKED) --build-constraint constraints.txt
LOCKED_CHECKOV := --constraint constraints-checkov.txt
LOCKED_TRITON_CLIENT := --constraint constraints-triton-client.txt
endif
BIN := $(VENV)/bin
# What editors check this repository's pipelines by.
SCHEMA := pipeline.schema.json
EVERYTHING := '.[local,dev,train,serve]'

.PHONY: demo test newest fuzz check containers editor build bless lock clean

demo: $(VENV)/.demo
	$(BIN)/mlopsgen build pipeline.yaml
	$(BIN)/mlopsgen local up --env dev

# With everything installed, no test may leave itself out.
test: export MLOPSGEN_ALL_TOOLS = 1
test: export MLOPSGEN_CHECKOV = $(CURDIR)/$(CHECKOV)
test: export MLOPSGEN_TRITON_CLIENT = $(CURDIR)/$(TRITON_CLIENT)
test: $(VENV)/.dev $(CHECKOV)/.installed $(TRITON_CLIENT)/.installed
	bash tests/system.sh
	$(BIN)/pytest -n 2 --dist loadfile

# The tests, on what the package index has today.
newest:
	rm -rf .tools/newest .tools/newest-checkov .tools/newest-triton-client
	$(MAKE) test NEWEST=1

# A hundred thousand documents that are new at each run, and five hundred builds that are killed.
fuzz: $(VENV)/.dev
	MLOPSGEN_FUZZ=53 $(BIN)/pytest -n 2 tests/test_fuzz.py
	$(BIN)/python -m tests.killing 500

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mlopsgen build pipeline.yaml --check

# The generated Dockerfiles, built and run as ECS would, where a container engine is to be had.
containers: $(VENV)/.dev
	tests/containers/run.sh whole

# What an editor says of a pipeline, by the YAML language server, where there is an npm that installs it.
editor: $(VENV)/.dev
	tests/editor/run.sh

build: $(VENV)/.core
	$(BIN)/mlopsgen build pipeline.yaml

# Accept what the compiler writes now as what is expected; review the diff like code.
bless: $(VENV)/.dev
	$(BIN)/pytest -n 2 --bless tests/test_golden.py tests/test_errors.py tests/cli/test_language.py tests/motion/test_edits.py
	$(BIN)/mlopsgen build pipeline.yaml
	$(BIN)/mlopsgen schema >$(SCHEMA)

# The versions that the tests have passed with, for everybody who works on mlopsgen. They are resolved on the
# oldest Python that is supported: what runs there, newer ones have too. torch is one version that is to be had
# without CUDA as well; its suffix `+cpu` is not part of what is locked.
TORCH := torch==2.13.0
LOCK := .tools/lock
lock:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "make lock PYTHON=python3.11")'
	rm -rf $(LOCK)
	$(PYTHON) -m venv $(LOCK)/all
	$(LOCK)/all/bin/pip install --quiet --upgrade pip
	$(LOCK)/all/bin/pip install --quiet $(TORCH) --editable $(EVERYTHING)
	$(LOCK)/all/bin/pip freeze --all --exclude-editable >$(LOCK)/all.txt
	$(PYTHON) -m venv $(LOCK)/checkov
	$(LOCK)/checkov/bin/pip install --quiet --upgrade pip
	$(LOCK)/checkov/bin/pip install --quiet 'checkov>=3.2'
	$(LOCK)/checkov/bin/pip freeze --all >$(LOCK)/checkov.txt
	$(PYTHON) -m venv $(LOCK)/triton-client
	$(LOCK)/triton-client/bin/pip install --quiet --upgrade pip
	$(LOCK)/triton-client/bin/pip install --quiet 'tritonclient[http]>=2.60'
	$(LOCK)/triton-client/bin/pip freeze --all >$(LOCK)/triton-client.txt
	{ echo '# Made by `make lock`.'; sed 's/+.*//' $(LOCK)/all.txt; } >constraints.txt
	{ echo '# Made by `make lock`.'; sed 's/+.*//' $(LOCK)/checkov.txt; } >constraints-checkov.txt
	{ echo '# Made by `make lock`.'; sed 's/+.*//' $(LOCK)/triton-client.txt; } >constraints-triton-client.txt
	rm -rf $(LOCK)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(LOCKED) --upgrade pip

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet $(LOCKED_BUILD) --editable .
	$(BIN)/mlopsgen schema >$(SCHEMA)
	touch $@

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet $(LOCKED_BUILD) --editable '.[local,train,serve]'
	$(BIN)/mlopsgen schema >$(SCHEMA)
	touch $@ $(VENV)/.core

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet $(LOCKED_BUILD) --editable $(EVERYTHING)
	$(BIN)/mlopsgen schema >$(SCHEMA)
	touch $@ $(VENV)/.core $(VENV)/.demo

# checkov pins versions of what mlopsgen's other tools need newer, so it has an environment of its own.
$(CHECKOV)/.installed: constraints-checkov.txt
	$(PYTHON) -m venv $(CHECKOV)
	$(CHECKOV)/bin/pip install --quiet $(LOCKED_CHECKOV) --upgrade pip
	$(CHECKOV)/bin/pip install --quiet $(LOCKED_CHECKOV) 'checkov>=3.2'
	touch $@

# Triton's client, against which the service's Open Inference Protocol is proven; nothing else needs it.
$(TRITON_CLIENT)/.installed: constraints-triton-client.txt
	$(PYTHON) -m venv $(TRITON_CLIENT)
	$(TRITON_CLIENT)/bin/pip install --quiet $(LOCKED_TRITON_CLIENT) --upgrade pip
	$(TRITON_CLIENT)/bin/pip install --quiet $(LOCKED_TRITON_CLIENT) 'tritonclient[http]>=2.60'
	touch $@

clean:
	rm -rf .venv .tools
