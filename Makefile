# From a fresh clone:   make demo   edits a melody and draws it      make test   runs lint, types and tests
# Everything goes into .venv; PYTHON=python3.12 chooses the interpreter it is made from.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TYPES := build/types
PYTEST ?=
# WORKERS=2 divides the files of tests among two processes; 0 runs them in one.
WORKERS ?= 0
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo docs test fast slow lint types unit dist clean help

help:
	@echo "make demo   install arvae into .venv, edit a melody and draw it"
	@echo "make fast   run lint and the tests that start no process and train nothing, while you work"
	@echo "make test   run lint, types and all tests except the slow ones"
	@echo "make slow   run the slow tests: training, published figures, the wheel"
	@echo "make lint   run ruff;  make types  run mypy;  make unit  run pytest"
	@echo "make dist   build the wheel and the source archive into dist/ and check them"
	@echo "make docs   build the documentation site into build/site"
	@echo "make clean  delete .venv, builds and caches"

demo: $(VENV)/.installed
	$(BIN)/arvae demo

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "open build/site/index.html"

test: lint types unit

fast: lint
	$(BIN)/python -m pytest -m "not slow and not process" $(PYTEST)

slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST)

lint: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check .

# cli/ and corpora/ install as arvae_music.cli and arvae_music.corpora, which mypy can't see from the root: it is
# shown a folder of links that is laid out as the package is.
types: $(VENV)/.installed-dev
	@rm -rf $(TYPES)/arvae_music && mkdir -p $(TYPES)/arvae_music
	@ln -s $(CURDIR)/arvae_music/* $(CURDIR)/cli $(CURDIR)/corpora $(TYPES)/arvae_music/
	cd $(TYPES) && $(CURDIR)/$(BIN)/python -m mypy --config-file $(CURDIR)/pyproject.toml -p arvae_music

dist: $(VENV)/.installed-dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m check_wheel_contents dist/*.whl

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "arvae needs Python 3.10 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps are older than what they were made from after a pull that changes the requirements.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
