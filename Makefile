# make demo     the example application on http://127.0.0.1:5000
# make test     all tests, on every CPython from 3.11 that this machine has
#                   make test PYTHONS=3.11 ARGS="tests/core -k codec"
# make check    format, rules, types and coverage, and then all tests: the gate for a change
# make bench    the benchmarks
# make clean    forgets everything that these commands have made

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: demo test check static coverage bench clean

export ARGS PYTHONS

# It takes the environment from PATH, and asks nobody whether there is a newer pyright.
PYRIGHT := PATH="$$PWD/.venv-check/bin:$$PATH" PYRIGHT_PYTHON_IGNORE_WARNINGS=1 pyright

demo:
	@scripts/components.sh venv
	@scripts/environment.sh .venv newest
	@.venv/bin/python examples/demo/app.py

test:
	@scripts/suite.sh

check: static coverage test

# On the oldest Python: what type-checks there does so later too.
static:
	@scripts/components.sh venv
	@scripts/environment.sh .venv-check oldest check
	@.venv-check/bin/ruff format --check
	@.venv-check/bin/ruff check
	@.venv-check/bin/mypy
	@$(PYRIGHT) src
	@$(PYRIGHT) --verifytypes coatcheck --ignoreexternal

coverage:
	@scripts/environment.sh .venv-check oldest check
	@.venv-check/bin/python -m pytest --cov --quiet tests/core

bench:
	@scripts/components.sh venv
	@scripts/environment.sh .venv-bench newest bench
	@for benchmark in $$(grep -l __main__ benchmarks/*.py); do .venv-bench/bin/python "$$benchmark"; echo; done

clean:
	rm -rf .venv .venv-* dist build .coverage* .hypothesis .*_cache
	find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +
