# Each target makes .venv and installs into it first, where that is not done.
PYTHON ?= python3.11
BIN := .venv/bin
RUFF := $(BIN)/ruff check --select E,F,W,B,I,UP,SIM --config "lint.isort.known-first-party=['recurra']"

.PHONY: demo test test-jax test-torch lint bench clean

.venv: .venv/installed

# Only what an installation depends on: the code itself is installed as a link.
.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: .venv/installed
	$(BIN)/recurra demo

# A process for each core; the tests of a file stay together, since they share models.
test: .venv/installed
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile

# The layers on the other backends, each in an environment of its own, torch's a CPU build.
test-jax: .venv-jax/installed
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest tests/layers tests/test_documentation.py

test-torch: .venv-torch/installed
	KERAS_BACKEND=torch .venv-torch/bin/python -m pytest tests/layers tests/test_documentation.py

.venv-jax/installed: BACKEND = jax
.venv-torch/installed: BACKEND = torch==2.13.0
.venv-jax/installed .venv-torch/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check '$(BACKEND)' pytest hypothesis absl-py --editable .
	@touch $@

lint: .venv/installed
	$(RUFF) .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	mkdir -p build/types/recurra
	for room in layers pipelines apps; do ln -sfn ../../../$$room build/types/recurra/$$room; done
	MYPYPATH=build/types $(BIN)/mypy -p recurra.layers -p recurra.pipelines -p recurra.apps

bench: .venv/installed
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/sentiment_epoch.py

clean:
	rm -rf .venv .venv-jax .venv-torch build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
