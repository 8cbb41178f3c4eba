# hashprobe on a fresh machine: Python 3.11 or newer and make are all that is needed.
#
#   make quickstart   set up .venv, then: data, hash model, ProS-GAN, baselines, report (in runs/quickstart)
#   make test         set up .venv with the development tools, then every check
#   make lint         the checks without the tests
#   make format       let ruff mend what it can
#   make clean        remove .venv and caches; runs/ stays
#
# Another interpreter: make quickstart PYTHON=/path/to/python     Another folder: make quickstart OUT=runs/mine

# Tried in this order; the first that is new enough and can make virtual environments is taken.
PYTHON ?= python3.13 python3.12 python3.11 python3 python
OUT ?= runs/quickstart

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Stamp files say that a step of the set-up is done; a change of the project file repeats the installation only.
MADE := $(VENV)/.made
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_FROM := pyproject.toml src/hashprobe/_version.py

.DEFAULT_GOAL := help
.PHONY: help quickstart test lint format clean

help:
	@sed -n 's/^#   make/make/p' Makefile

quickstart: $(INSTALLED)
	$(BIN)/hashprobe quickstart --out $(OUT)

test: lint
	$(BIN)/python -m pytest

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED_DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Run again on a half-made .venv, venv completes it.
$(MADE):
	@found=; \
	for python in $(PYTHON); do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    found=$$python; break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "hashprobe needs Python 3.11 or newer with its venv module, and none of these is that: $(PYTHON)." \
	    "Install one (on Debian and Ubuntu: python3 and python3-venv) or name it: make PYTHON=/path/to/python." >&2; \
	  exit 1; \
	fi; \
	echo "Making the virtual environment $(VENV) with $$found."; \
	"$$found" -m venv $(VENV)
	@touch $@

$(INSTALLED): $(MADE) $(INSTALLED_FROM)
	@echo "Installing hashprobe and what it stands on into $(VENV); the first time takes some minutes."
	$(PIP) install --editable .
	@touch $@

# The development tools come on top, so this counts as installed for quickstart too.
$(INSTALLED_DEV): $(MADE) $(INSTALLED_FROM)
	@echo "Installing hashprobe, its development tools and what they stand on into $(VENV); the first time takes some minutes."
	$(PIP) install --editable '.[dev]'
	@touch $(INSTALLED) $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
