# `make run` and `make test` do all set-up on a fresh machine. PYTHON=python3.13 VENV=.venv-3.13 picks another one.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_FLAGS ?= -n 2 --dist loadfile
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-here test-cluster lint format bench docs screenshots requirements debian clean
.DEFAULT_GOAL := run

run: $(VENV)/.run-ready ## install and start `bongsu up` on this machine
	$(BIN)/bongsu up $(ARGS)

test: test-here $(if $(ARGS),,test-cluster) ## install what tests need and run them all

test-here: $(VENV)/.dev-ready debian ## the tests that need no cluster
	$(BIN)/pytest $(PYTEST_FLAGS) $(if $(findstring tests/cluster,$(ARGS)),,--ignore=tests/cluster) $(ARGS)

test-cluster: $(VENV)/.dev-ready debian ## those that do: three nodes with systemd and Slurm, made here (as root)
	$(BIN)/pytest --durations=3 tests/cluster

lint: $(VENV)/.dev-ready ## ruff, mypy --strict, the import contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev-ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.bench-ready debian ## every benchmark beside its anchor; writes benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run.py $(ARGS)

docs: $(VENV)/.dev-ready ## regenerate docs/metrics.md and docs/commands.md
	$(BIN)/python scripts/generate_docs.py

screenshots: $(VENV)/.dev-ready debian ## docs/images
	$(BIN)/python scripts/screenshot.py
	$(BIN)/python scripts/job_pictures.py
	$(BIN)/python scripts/terminal_pictures.py

debian: ## the Debian packages that tests and benchmarks use, and a newer Prometheus in .cache; says what is missing
	@sh scripts/debian_packages.sh
	@sh scripts/newer_prometheus.sh

requirements: ## pin again; needs uv
	uv pip compile pyproject.toml --extra all --group build --generate-hashes --no-emit-index-url \
	  --universal --python-version 3.11 -q -o requirements/all.txt --custom-compile-command "make requirements"
	uv pip compile pyproject.toml --extra all --extra k8s --group build -c requirements/all.txt --generate-hashes \
	  --no-emit-index-url --universal --python-version 3.11 -q -o requirements/image.txt --custom-compile-command "make requirements"
	uv pip compile pyproject.toml --extra all --group build --group dev -c requirements/all.txt --generate-hashes \
	  --no-emit-index-url --universal --python-version 3.11 -q -o requirements/dev.txt --custom-compile-command "make requirements"
	uv pip compile pyproject.toml --extra all --group build --group dev --group bench -c requirements/dev.txt --generate-hashes \
	  --no-emit-index-url --universal --python-version 3.11 -q -o requirements/bench.txt --custom-compile-command "make requirements"

clean:
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: $(PYTHON) is missing or older than 3.11; install one (Debian: apt-get install python3 python3-venv) or name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "make: python3 -m venv failed; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 2; }

$(VENV)/.run-ready: requirements/all.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --require-hashes -r requirements/all.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev-ready: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run-ready

$(VENV)/.bench-ready: requirements/bench.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --require-hashes -r requirements/bench.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.dev-ready $(VENV)/.run-ready
