# What a fresh machine needs: Python 3.11 to 3.13 with pip and venv, and make. `make help` lists what there is.

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check install --quiet
INSTALL := $(PYTHON) make/install.py
PYTEST := $(PYTHON) -m pytest
PARALLEL := -n auto --maxprocesses 4

# The fast tests write thousands of small files and have each on the disk: in memory, where there is room for them, they
# take half the time.
MEMORY := $(shell df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 >= 2048 { print "/dev/shm" }')
QUICK := $(if $(TMPDIR),,$(if $(MEMORY),TMPDIR=$(MEMORY) ))$(PYTEST) $(PARALLEL) -o tmp_path_retention_policy=failed

# The first Python of this machine that is of a supported version; `make BASE_PYTHON=…` names another.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
BASE_PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11 python, \
	$(shell $(python) -c '$(SUPPORTED)' >/dev/null 2>&1 && echo $(python))))
NO_PYTHON := echo "no Python 3.11 to 3.13 here: install one, or name it: make BASE_PYTHON=PATH …" >&2; exit 1

# A stamp is written last: an install that was interrupted is done again, one that is done is not repeated.
BASE := $(VENV)/.base
RUN := $(VENV)/.run
TEST := $(VENV)/.test

FAST := not slow and not data and not ray
TESTED := not slow and not data and (ray_smoke or not ray)
# They measure times, so nothing else may run meanwhile. They come first, so that the last line is the others' closing line.
ALONE := alone

# Compiled modules are kept: all processes that the tests start would compile them again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

.PHONY: train
train: $(RUN) ## install, then train on handwritten digits; ARGS='--dataset mnist' for others
	$(PYTHON) -m millrace train $(ARGS)

.PHONY: test
test: $(TEST) ## install the test extras, then the fast tests and one on Ray
	$(PYTEST) $(PARALLEL) -m "$(TESTED)" $(ARGS)

.PHONY: check
check: $(TEST) ## format, lint, types, fast tests
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy & types=$$!; $(PYTHON) -m tests.kernels; wait $$types  # one after the other they take twice as long
	$(QUICK) -m "$(FAST)" -q $(ARGS)

.PHONY: format
format: $(TEST) ## put the sources in order
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

.PHONY: test-all
test-all: $(TEST) readers peers ## what `make test` leaves out: slow, Ray, real data (MILLRACE_TEST_MIRROR)
	$(PYTEST) -m "$(ALONE)" $(ARGS); alone=$$?; \
	$(PYTEST) $(PARALLEL) --dist loadfile -m "not ($(TESTED)) and not ($(ALONE))" --durations 20 $(ARGS); beside=$$?; \
	case $$alone,$$beside in 0,5|5,0) ;; [05],*) exit $$beside ;; \
	*) echo "what runs alone failed, see further up: pytest's code was $$alone" >&2; exit $$alone ;; esac

.PHONY: bench-ray
bench-ray: $(RUN) ## two workers on Ray against local mode and a peer: about 8 minutes
	$(PYTHON) -m benchmarks.ray
	$(PYTHON) -m benchmarks.ray_memory

.PHONY: install
install: $(TEST) ## the environment for all of the above but bench

include make/*.mk

.PHONY: base-python
base-python:
	@test -n "$(BASE_PYTHON)" || { $(NO_PYTHON); }
	@$(BASE_PYTHON) -c 'import sys; print(sys.executable)'

$(BASE):
	@test -n "$(BASE_PYTHON)" || { $(NO_PYTHON); }
	@echo "installing into $(VENV), with $(BASE_PYTHON)"
	$(BASE_PYTHON) -m venv --clear $(VENV)
	@$(PIP) --require-hashes -r requirements/uv.txt || echo "without uv, installing takes minutes more" >&2
	@touch $@

# The project itself: a finder of `millrace` alone and the console script; nothing is built from the network.
$(RUN): $(BASE) requirements/run.txt pyproject.toml
	$(INSTALL) $(VENV) --require-hashes -r requirements/run.txt
	$(PIP) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(TEST): $(RUN) requirements/test.txt
	$(INSTALL) $(VENV) --require-hashes -r requirements/test.txt
	@touch $@

# uv resolves for all supported Pythons and systems at once.
LOCKER := .venv-lock
COMPILE := $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"

.PHONY: lock
lock: ## choose versions again: requirements/*.txt; ARGS=--upgrade for the newest
	$(BASE_PYTHON) -m venv --clear $(LOCKER)
	$(LOCKER)/bin/python -m pip --disable-pip-version-check install --quiet uv
	$(COMPILE) $(ARGS) --extra all pyproject.toml requirements/build.in -o requirements/run.txt
	$(COMPILE) $(ARGS) --constraint requirements/run.txt --extra all pyproject.toml requirements/test.in -o requirements/test.txt
	$(COMPILE) $(ARGS) --constraint requirements/run.txt --extra onnx pyproject.toml -o requirements/onnx.txt
	$(COMPILE) $(ARGS) requirements/readers.in -o requirements/readers.txt
	$(COMPILE) $(ARGS) requirements/docs.in -o requirements/docs.txt
	$(COMPILE) $(ARGS) requirements/uv.in -o requirements/uv.txt
	rm -rf $(LOCKER)

.PHONY: clean
clean: ## remove what the above made; runs and the cache of datasets stay
	rm -rf .venv .venv-* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
