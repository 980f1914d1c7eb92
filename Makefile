# What a contributor types. `make` alone lists it.
VENV ?= .venv
CONSTRAINTS ?= constraints/airflow-3.3.txt
EXTRAS ?= amazon,emulator,parquet
PYTHON_IN_VENV := $(VENV)/bin/python
ARGS ?=
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help venv demo test matrix chaos cluster-test readers lint format types docs bench constraints dist stores clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.installed ## the virtual environment of all other targets, in $(VENV)

# Only when what is installed has changed; an editable install follows the source by itself.
$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) .ci/venv
	@echo "Installing Airflow and the development tools into $(VENV): 300 MB of downloads, one to six minutes ..."
	@.ci/venv $(VENV) $(CONSTRAINTS) $(EXTRAS) dev
	@touch $(VENV)/.runnable $@

# What the demo needs of it: a third of the downloads.
$(VENV)/.runnable: pyproject.toml $(CONSTRAINTS) .ci/venv
	@echo "Installing Airflow into $(VENV): 120 MB of downloads, one to three minutes ..."
	@.ci/venv $(VENV) $(CONSTRAINTS) emulator
	@touch $@

stores: venv ## servers of Azure (by npm) and Google, and their filesystems, for the tests of storage
	@.ci/stores $(VENV) $(CONSTRAINTS)

readers: venv ## DuckDB, polars, pandas and pyarrow, for the tests of the file formats
	@.ci/venv $(VENV) $(CONSTRAINTS) $(EXTRAS) dev readers

demo: $(VENV)/.runnable ## a real DAG run against the emulator, from nothing to a file
	@$(PYTHON_IN_VENV) scripts/demo.py $(ARGS)

test: venv ## all tests, in four processes; ARGS="-m unit" for a layer
	@$(PYTHON_IN_VENV) -m pytest --numprocesses 4 --dist worksteal $(ARGS)

matrix: venv ## all tests on every supported Airflow and Python (3.14 where there is one), an hour and a half; ARGS='-s "tests(3.1, 3.12)"'
	@.ci/venv $(VENV) $(CONSTRAINTS) $(EXTRAS) dev matrix
	@PATH="$(abspath $(VENV))/bin:$$PATH" $(PYTHON_IN_VENV) -m nox $(ARGS)

# Two files at a time, the longest first: what a file shares (a whole Airflow, an S3 server) is started once.
# The first word of ARGS may name another campaign, tests/chaos/campaign_WORD.py, which then runs alone.
CAMPAIGN = $(wildcard tests/chaos/campaign_$(firstword $(ARGS)).py)
CAMPAIGNS = tests/chaos/campaign_processes.py tests/chaos/campaign_exports.py \
	tests/chaos/campaign_idempotent_create.py tests/chaos/campaign_registrations_sync.py
chaos: venv ## the campaign under faults, ten minutes: docs/generated/chaos.md; ARGS=--every-seed for all, ARGS=lists for lists that change, ARGS=hostile for hostile services, ARGS=bulk for people from files
	@$(PYTHON_IN_VENV) -m pytest --quiet --no-header --numprocesses 2 --dist loadfile --no-loadscope-reorder \
		$(if $(CAMPAIGN),$(CAMPAIGN) $(wordlist 2,$(words $(ARGS)),$(ARGS)),$(CAMPAIGNS) $(ARGS))

# PostgreSQL and Redis come from the system: apt-get install postgresql redis-server.
cluster-test: venv ## the examples on Celery, two triggerers and PostgreSQL, some of which die; docs/generated/cluster.md
	@.ci/venv $(VENV) $(CONSTRAINTS) $(EXTRAS) dev cluster readers
	@$(PYTHON_IN_VENV) -m pytest --quiet --no-header tests/cluster/examples_on_cluster.py $(ARGS)

lint: venv ## rules and layout by ruff, spelling by codespell
	@$(PYTHON_IN_VENV) -m ruff check --quiet .
	@$(PYTHON_IN_VENV) -m ruff format --quiet --check .
	@$(PYTHON_IN_VENV) -m codespell_lib

format: venv ## let ruff mend what it can
	@$(PYTHON_IN_VENV) -m ruff check --quiet --fix .
	@$(PYTHON_IN_VENV) -m ruff format --quiet .

types: venv ## mypy, strict
	@$(PYTHON_IN_VENV) -m mypy --no-error-summary

docs: venv ## the documentation, as HTML in docs/_build/html
	@$(PYTHON_IN_VENV) -m sphinx --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html

dist: venv ## sdist and wheel in dist/, checked, and tried in an empty environment; ARGS=--tests for the unit tests of the sdist, too
	@$(PYTHON_IN_VENV) scripts/check_dist.py $(CONSTRAINTS) $(ARGS)

# Chromium and Node.js come from the system: apt-get install chromium nodejs npm.
.PHONY: browser screenshots
browser: tests/browser/node_modules/.installed ## what the browser tests need from npm

tests/browser/node_modules/.installed: tests/browser/package.json
	@npm install --prefix tests/browser --no-package-lock --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

screenshots: venv browser ## all of the browser tests; makes the documentation's pictures of Airflow's web pages
	@RINGEVENTS_NO_SKIP=1 $(PYTHON_IN_VENV) -m pytest --quiet --no-header tests/browser/full_walkthrough.py

bench: venv ## speed and memory, as a table
	@$(PYTHON_IN_VENV) -m benchmarks $(ARGS)

LOCK = uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --upgrade pyproject.toml \
	$(addprefix --extra ,$(subst $(comma), ,$(EXTRAS)))
comma := ,

# Airflow 3.0 to 3.2 do not bound what they stand on: packages of their own days fit.
OLDER = --group test --exclude-newer-package apache-airflow-providers-common-compat=$(shell date +%F) \
	--constraints - --no-universal --output-file constraints/airflow

constraints: ## newest versions that fit together, written to constraints/ (needs uv)
	@$(LOCK) --extra azure --group dev --group readers --group stores --group matrix --group cluster --output-file constraints/airflow-3.3.txt
	@echo 'apache-airflow~=2.11.0' | $(LOCK) --group test --constraints - --output-file constraints/airflow-2.11.txt
	@printf 'apache-airflow~=3.0.0\nuniversal-pathlib<0.3\n' | $(LOCK) $(OLDER)-3.0.txt --exclude-newer 2025-10-01
	@echo 'apache-airflow~=3.1.0' | $(LOCK) $(OLDER)-3.1.txt --exclude-newer 2026-03-15
	@echo 'apache-airflow~=3.2.0' | $(LOCK) $(OLDER)-3.2.txt --exclude-newer 2026-07-15

clean: ## remove what make and the tools made
	@rm -rf $(VENV) .venv-* .nox .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist docs/_build tests/*/node_modules
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
