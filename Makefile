# Two commands matter: `make demo` and `make test`. Everything else is for people who work on lastmile.

PYTHON ?= python3
VENV   ?= .venv
RUN    ?= runs/demo
# Handed to pip: for instance where to find builds of torch that suit your machine.
PIP_FLAGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# tcmalloc, where the system has it: training on CPU spends much of its time in glibc's allocator (`lastmile doctor`).
TCMALLOC := $(shell PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | awk '/libtcmalloc(_minimal)?\.so/ {print $$NF; exit}')
WITH_TCMALLOC := $(if $(TCMALLOC),LD_PRELOAD="$(TCMALLOC)$${LD_PRELOAD:+:$$LD_PRELOAD}")

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench docs constraints clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.installed ## tune on the built-in corpus, then compare: a table and an HTML report
	@if [ -e "$(RUN)/recipe.yaml" ]; then set -x; $(WITH_TCMALLOC) $(BIN)/lastmile tune --resume "$(RUN)"; \
	else set -x; $(WITH_TCMALLOC) $(BIN)/lastmile tune --data demo --out "$(RUN)"; fi
	$(WITH_TCMALLOC) $(BIN)/lastmile compare "$(RUN)"

test: $(VENV)/.installed-test ## run the tests
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test ## check style and imports
	$(BIN)/ruff check .

bench: $(VENV)/.installed ## make the peers' environments, time ours against them, print the table
	PYTHON="$(PYTHON)" PIP_FLAGS="$(PIP_FLAGS)" bash bench/peers.sh
	$(WITH_TCMALLOC) PYTHON="$(abspath $(BIN))/python" bash bench/record.sh

docs: $(VENV)/.installed ## write docs/cli.md anew from --help
	$(BIN)/python docs/generate_cli.py

constraints: $(VENV)/.installed-test ## pin the versions of this environment in constraints.txt
	{ grep '^#' constraints.txt; $(PIP) freeze --all --exclude-editable --exclude pip \
	  | grep -v -i -E '^(nvidia|cuda|triton)|@' | sed 's/+.*//' | sort --ignore-case; } > constraints.tmp
	mv constraints.tmp constraints.txt

clean: ## remove the environment and caches; runs stay
	rm -rf "$(VENV)" build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@command -v "$(PYTHON)" >/dev/null || { echo "no \`$(PYTHON)\` found. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "lastmile needs Python 3.11 or newer, \`$(PYTHON)\` is $$("$(PYTHON)" -V 2>&1). Name another: make PYTHON=python3.12 …" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || { echo "\`$(PYTHON)\` cannot make environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv "$(VENV)"

# The stamps are written last, so an installation that was cut off is taken up again by the next call.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install $(PIP_FLAGS) --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install $(PIP_FLAGS) --constraint constraints.txt --editable '.[test]'
	@touch $(VENV)/.installed $@
