# One virtual environment, made from the lock with hashes; every target makes what it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DATA   ?=
AMNESIA ?=
FULL   ?=
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit simulate faults soak memory lint format bench bench-trust lock clean

help:  ## Say what each target does.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# Where the packages of the lock are there already, the script installs the project alone: programs may be running in it.
$(READY): requirements.lock pyproject.toml scripts/make_venv.py
	@command -v $(PYTHON) >/dev/null || { echo 'b2stream: there is no $(PYTHON) here: install Python 3.11 or later, or say `make PYTHON=/path/to/python ...`' >&2; exit 1; }
	@$(PYTHON) scripts/make_venv.py "$(VENV)"
	@touch $(READY)

setup: $(READY)  ## Make the virtual environment from the lock with hashes.

demo: $(READY)  ## Carry simulated station files through the whole chain, break it on the way, check the result (DATA=DIR: your files; AMNESIA=1: wipe Kafka at the end; ARGS: options).
	@$(BIN)/b2stream demo $(if $(DATA),--data "$(DATA)") $(if $(AMNESIA),--amnesia) $(ARGS)

test: $(READY)  ## Run lint, types and every test that CI runs.
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m tests

faults: $(READY)  ## Run all faults, each judged afterwards: kills at every step, servers, links and disks that fail, bad and hostile input, wrong clocks (`make test` runs a part of them; FULL=1: outages at full length).
	@B2STREAM_FAULTS_FULL=$(FULL) $(BIN)/python -m tests.faults

simulate: $(READY)  ## Run the commit and the copy under tens of thousands of schedules of faults in virtual time (SECONDS=60 SEED=0).
	@$(BIN)/python -m tests.simulator --seconds $(or $(SECONDS),60) --from-seed $(or $(SEED),0)

soak: $(READY)  ## Random faults on every part and link of a whole chain under load, then drain and judge (SEED=1 MINUTES=10; FULL=1: at full length).
	@B2STREAM_FAULTS_FULL=$(FULL) $(BIN)/python -m tests.faults.soak --seed $(or $(SEED),1) --minutes $(or $(MINUTES),10)

unit: $(READY)  ## Run the unit tests only.
	@$(BIN)/python -m pytest tests/unit

memory: $(READY)  ## Measure the processor's memory: a file of 1 GB, and 10,000 open attempts with 1,024 file descriptors.
	@B2STREAM_FAULTS=all $(BIN)/python -m pytest -rP tests/integration/processor/test_memory.py

lint: $(READY)  ## Check format, lint, types and the borders between folders.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(READY)  ## Format the code.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY)  ## Measure throughput beside its ceilings and record the result.
	@$(BIN)/python -m tests.benchmarks

bench-trust: $(READY)  ## Measure audit and registrar beside bare calls, and the memory of a large audit, and record the result.
	@$(BIN)/python -m tests.benchmarks.trust

lock:  ## Write requirements.lock again from pyproject.toml (needs uv on the PATH).
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra dev pyproject.toml -o requirements.lock
	sed -i '1i # Every dependency of programs, sandbox and tests, with hashes: make lock writes it. Addresses stay out of it.' requirements.lock

clean:  ## Remove the virtual environment and what the sandbox left.
	rm -rf "$(VENV)" .b2stream
