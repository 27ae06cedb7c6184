# One-liners: each body can be typed by hand. `make test` and `make demo` set up what
# they need by themselves; `make demo ONCE=1` exits after the first journey.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
SHELL := /bin/bash
PYTHON ?= python3
KINDS = unit spec conformance generative faults integration browser docs
ONLY = policies/*,gateway/journey/*,gateway/audit/*
.DEFAULT_GOAL := help
.PHONY: help setup test check lint format types imports house cover covered fix openapi docs demo serve bench corpus lock $(KINDS:%=test-%)

help:    ; @echo "make demo | demo ONCE=1 | test | check | fix | serve | setup | lock | $(KINDS:%=test-%)"

# The stamp comes last, so an install that was cut short is begun again.
.venv/ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, as $(PYTHON). On Debian and Ubuntu: apt-get install python3; another one: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python here cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup:   .venv/ready
test:    setup ; $(if $(COVER),coverage run -p -m )pytest $(OF)
$(KINDS:%=test-%): test-%: setup ; pytest tests/$*
check:   setup ; @$(MAKE) -k --no-print-directory lint format types imports house
lint:    setup ; ruff check .
format:  setup ; ruff format --check .
types:   setup ; mypy
imports: setup ; lint-imports
house:   setup ; pytest -q tests/spec/test_house.py tests/spec/test_openapi.py tests/spec/test_vocabulary.py
cover:   ; @rm -f .coverage.* && $(MAKE) --no-print-directory test COVER=1 && $(MAKE) --no-print-directory covered
covered: setup ; coverage combine --quiet && coverage report && coverage report --include='$(ONLY)' --fail-under=100
fix:     setup ; ruff check --fix . && ruff format .
openapi: setup ; throughline openapi > openapi/openapi.json
docs:    setup ; pytest tests/docs
demo:    setup ; throughline demo $(if $(ONCE),--once)
serve:   setup ; throughline serve
bench:   setup ; python -m bench --write
corpus:  setup ; python -m tests.corpus_report
lock:    ; @echo "The lock is made by uv (optional: pip installs from it without uv). DATE keeps out what is newer:"; echo "  uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --exclude-newer DATE -o requirements.lock"; echo "Then the two parts of it that an image is made from, the same pins:"; echo "  uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -c requirements.lock -o requirements-runtime.lock"; echo "  echo hatchling | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -c requirements.lock -o requirements-build.lock"
