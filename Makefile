# Every target first makes the environment that it needs and installs into it.
PYTHON ?= python3.11
BIN := .venv/bin
RUFF := $(BIN)/ruff check --select E,F,W,B,I,UP,SIM --config "lint.isort.known-first-party=['recurra']"

# uv reads no configuration of pip, so it gets pip's index and the system's certificates.
UV = UV_SYSTEM_CERTS=1 \
	UV_DEFAULT_INDEX="$${PIP_INDEX_URL:-$$($(@D)/bin/python -m pip config get global.index-url 2>/dev/null)}" \
	$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python

# Bytecode is written, whatever is set: a process that imports TensorFlow without it takes
# 17 seconds more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-jax test-torch test-trackers test-notebooks test-clients test-ray test-lowest browser-demo test-browser-demo lint bench docs clean
.PRECIOUS: .venv/bin/uv .venv-jax/bin/uv .venv-trackers/bin/uv .venv-lowest/bin/uv

%/bin/uv:
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13'

# .venv with an extra of setup.cfg. The code is installed as a link.
.venv/with-%: setup.cfg pyproject.toml | .venv/bin/uv
	$(UV) --editable '.[$*]'
	@touch $@

demo: .venv/with-summarisation
	$(BIN)/recurra demo

# One process per core. tests/conftest.py says what one process runs and what comes first;
# otherwise the order is random.
test: .venv/with-dev
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadscope \
		--no-loadscope-reorder

# The layers on the other backends.
test-jax: .venv-jax/installed
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest tests/layers tests/test_documentation.py

test-torch: .venv-torch/installed
	KERAS_BACKEND=torch .venv-torch/bin/python -m pytest tests/layers tests/test_documentation.py

.venv-jax/installed: setup.cfg pyproject.toml | .venv-jax/bin/uv
	$(UV) jax pytest pytest-randomly hypothesis absl-py --editable .
	@touch $@

# What keeps a store of MLflow's and a run of W&B's, which no other test needs.
test-trackers: .venv-trackers/installed
	.venv-trackers/bin/python -m pytest tests/pipelines/core/test_tracking.py

.venv-trackers/installed: setup.cfg pyproject.toml | .venv-trackers/bin/uv
	$(UV) pytest pytest-randomly sqlalchemy alembic --editable '.[tasks,tensorboard,mlflow,wandb]'
	@touch $@

# The notebooks of the docs, from top to bottom.
test-notebooks: .venv/with-dev .venv/with-notebooks
	$(BIN)/python -m pytest tests/test_notebooks.py

# A sentiment model that runs in the browser: the page, the model of the sample, and
# ONNX Runtime Web, which npm brings.
build/browser/model: .venv/with-dev $(wildcard docs/browser/*)
	mkdir -p $(@D)
	cp docs/browser/* $(@D)/
	npm install --silent --no-fund --no-audit --prefix $(@D) 'onnxruntime-web@^1.20'
	rm -rf build/browser_run build/browser_models $@
	$(BIN)/recurra train sentiment --data sample:4000 --run build/browser_run
	$(BIN)/recurra export build/browser_run --format onnx --to build/browser_models --name sample
	mv build/browser_models/sample/1 $@

browser-demo: build/browser/model
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/browser 8765

test-browser-demo: build/browser/model
	$(BIN)/python -m pytest tests/test_browser_demo.py

# Clients that others wrote, in an environment of their own: they ask for other versions
# of protobuf and pandas than the server's packages do. One process holds only one of
# them, since both bring the same messages.
test-clients: .venv/with-dev .venv-clients/installed
	.venv-clients/bin/python -m pytest -p no:cacheprovider tests/clients/test_tritonclient.py
	.venv-clients/bin/python -m pytest -p no:cacheprovider tests/clients/test_kserve_sdk.py

.venv-clients/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check pytest \
		'tritonclient[http,grpc]>=2.73' 'kserve>=0.21'
	@touch $@

# What runs on a cluster of Ray, with a cluster on this machine.
test-ray: .venv-ray/installed
	.venv-ray/bin/python -m pytest tests/cluster

.venv-ray/installed: setup.cfg pyproject.toml | .venv-ray/bin/uv
	$(UV) pytest pytest-randomly httpx --editable '.[tasks,tune,serve,ray]'
	@touch $@

# All tests with the oldest releases that setup.cfg allows; `make test` has the newest.
test-lowest: .venv-lowest/installed
	.venv-lowest/bin/python -m pytest -n logical --maxprocesses 8 --dist loadscope \
		--no-loadscope-reorder

.venv-lowest/installed: setup.cfg pyproject.toml | .venv-lowest/bin/uv
	$(UV) --resolution lowest-direct --editable '.[dev]'
	@touch $@

# A CPU build of torch, which pip alone finds where it lies in a folder of wheels.
.venv-torch/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 \
		pytest pytest-randomly hypothesis absl-py --editable .
	@touch $@

# The rooms under their import name, for tools that read the code without importing it.
build/types:
	mkdir -p $@/recurra
	for room in layers pipelines apps; do ln -sfn ../../../$$room $@/recurra/$$room; done

lint: .venv/with-dev build/types
	$(RUFF) .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	MYPYPATH=build/types $(BIN)/mypy -p recurra.layers -p recurra.pipelines -p recurra.apps

bench: .venv/with-dev
	$(BIN)/python benchmarks/layers.py
	$(BIN)/python benchmarks/sentiment_epoch.py

# The site in build/site; a link or a reference that leads nowhere is an error.
docs: .venv/with-docs build/types
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

clean:
	rm -rf .venv .venv-jax .venv-torch .venv-trackers .venv-clients .venv-ray .venv-lowest build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
