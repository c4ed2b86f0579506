# Python ≥ 3.11 and make are all this needs; everything else goes into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint requirements.lock
SEED ?=
KILLS ?= 1000
STORMS ?= 100
MINUTES ?= 10

.PHONY: install check test build run bench crash storms fuzz eval generate lock clean

install: $(VENV)/.dev ## everything a contributor needs

run: $(VENV)/.run ## the daemon with its built-in defaults; data in ./data
	ALLEARS_DATA_FOLDER=$${ALLEARS_DATA_FOLDER:-data} $(BIN)/allears run

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/generate.py --check

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

build: $(VENV)/.dev ## a wheel, installed into a clean environment and run
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .
	$(BIN)/python scripts/smoke.py dist

bench: $(VENV)/.test
	$(BIN)/python -m bench $(BENCH)

crash: $(VENV)/.test
	$(BIN)/python -m bench.crash --kills $(KILLS) $(if $(SEED),--seed $(SEED))

storms: $(VENV)/.test ## so many seeded schedules of faults and deaths against each ticket store
	STORMS=$(STORMS) $(BIN)/python -m pytest -m storm -n auto tests/sink $(PYTEST_ARGS)

fuzz: $(VENV)/.test ## damaged mails: nothing may raise
	$(BIN)/python scripts/fuzz.py --minutes $(MINUTES)

eval: $(VENV)/.test
	$(BIN)/python scripts/evaluate.py

generate: $(VENV)/.dev ## config/ and the docs tables, from the models
	$(BIN)/python scripts/generate.py

lock: ## new pins, from a clean environment
	rm -rf .lock && $(PYTHON) -m venv .lock
	.lock/bin/python -m pip --disable-pip-version-check install --quiet -e '.[test,dev,train]'
	.lock/bin/python scripts/lock.py > requirements.lock.new && mv requirements.lock.new requirements.lock
	rm -rf .lock

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml requirements.lock
	$(PIP) -e '.[encoder]'
	touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml requirements.lock
	$(PIP) -e '.[test]'
	touch $@ $(VENV)/.run

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml requirements.lock
	$(PIP) -e '.[test,dev]'
	touch $@ $(VENV)/.test $(VENV)/.run
