# Everything runs in .venv, made from requirements that are locked and checked by their hashes.
# Needed: make, and Python 3.11 or newer with its own pip and venv.

PYTHON ?= python3
UV_VERSION := 0.13.9

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

# The server that the profile flask-appbuilder is tested against shares no library with the rest.
FAB := .venv-flask-appbuilder

# What an installation without the locks gives today.
NEWEST := .venv-newest

# Stamps: what the environments hold, so that nothing is installed twice.
CREATED := $(VENV)/.created
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
FAB_INSTALLED := $(FAB)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-newest thorough soak lint format format-check types check golden bench build lock upgrade flask-appbuilder clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Install, and show what the example roles would change in a fresh panel
	@echo '$$ $(BIN)/provisioner plan examples/roles.yaml'
	@$(BIN)/provisioner plan examples/roles.yaml
	@echo
	@echo 'Nothing was changed. To apply it, then see that nothing is left to do:'
	@echo '  $(BIN)/provisioner apply examples/roles.yaml'
	@echo '  $(BIN)/provisioner plan examples/roles.yaml'
	@echo 'The panel of this demo is a file below .provisioner; delete that folder to start over.'

test: $(DEV) $(FAB_INSTALLED) ## Run the tests (more options: make test ARGS="-k rename")
	PROVISIONER_REQUIRE_FLASK_APPBUILDER=1 $(BIN)/pytest -n auto $(ARGS)

test-newest: $(FAB_INSTALLED) ## The same with the newest libraries there are (not part of the checks)
	@echo 'Installing the newest that pyproject.toml allows into $(NEWEST)'
	@$(PYTHON) -m venv --clear --upgrade-deps $(NEWEST)
	@$(NEWEST)/bin/python -m pip --disable-pip-version-check --no-input -qq install \
		--editable '.[server,postgresql]' --group dev
	@$(NEWEST)/bin/python -m pip --disable-pip-version-check list --format freeze --exclude-editable
	PROVISIONER_REQUIRE_FLASK_APPBUILDER=1 $(NEWEST)/bin/pytest -n auto $(ARGS)

thorough: $(DEV) ## Run the property tests long, on new random examples (not part of the checks)
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -n auto tests/engine tests/policies $(ARGS)

SOAKED := tests/http/test_bad_networks.py tests/http/test_garbled_answers.py tests/server/test_contract.py
soak: $(DEV) ## Bad networks, garbled answers and requests, at random and long (not part of the checks)
	PROVISIONER_SOAK_FROM=$$(date +%s) PROVISIONER_SOAK_RUNS=5000 HYPOTHESIS_PROFILE=thorough \
		$(BIN)/pytest -n auto $(SOAKED) $(ARGS)

lint: $(DEV) ## Look for mistakes
	$(BIN)/ruff check .

format: $(DEV) ## Format the code, sort imports
	$(BIN)/ruff check --select I --fix --quiet .
	$(BIN)/ruff format .

format-check: $(DEV) ## Say which files are not formatted
	$(BIN)/ruff format --check .

types: $(DEV) ## Check the types
	$(BIN)/mypy

check: lint format-check types test ## All of the above checks: what has to pass before a change goes in

golden: $(DEV) ## Rewrite the golden files; read the difference before committing it
	$(BIN)/pytest -n auto --update-golden $(ARGS)

bench: $(DEV) ## Run the benchmarks
	@set -e; for script in benchmarks/*.py; do echo "$(BIN)/python $$script"; $(BIN)/python "$$script"; done

build: $(DEV) ## Build the sdist and the wheel into dist/
	$(BIN)/python -m build --no-isolation

# `lock` keeps the versions that still fit, `upgrade` takes the newest.
upgrade: FRESH := --upgrade
lock upgrade: $(CREATED)
	@$(PIP) install uv==$(UV_VERSION)
	$(call compile,dev) pyproject.toml --all-extras --group dev
	$(call compile,runtime) pyproject.toml --constraints requirements/dev.txt
	$(call compile,build) --group build --constraints requirements/dev.txt
	$(call compile,flask-appbuilder) requirements/flask-appbuilder.in
lock: ## Write requirements/*.txt anew after a change of dependencies in pyproject.toml
upgrade: ## The same, with the newest versions that pyproject.toml allows

compile = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' $(FRESH) -o requirements/$(1).txt

flask-appbuilder: $(FAB_INSTALLED) ## Install the Flask-AppBuilder that tests talk to

clean: ## Remove the environments, builds and caches (not the state of the demo)
	rm -rf $(VENV) $(FAB) $(NEWEST) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'provisioner needs Python 3.11 or newer, and "$(PYTHON)" is not.' >&2; \
		echo 'Name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	@echo 'Creating $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME): pyproject.toml requirements/build.txt requirements/runtime.txt | $(CREATED)
	@echo 'Installing provisioner into $(VENV)'
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV): pyproject.toml requirements/dev.txt | $(CREATED)
	@echo 'Installing provisioner and its development tools into $(VENV)'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $(RUNTIME) $@

$(FAB_INSTALLED): requirements/flask-appbuilder.txt | $(CREATED)
	@echo 'Installing Flask-AppBuilder into $(FAB)'
	@$(PYTHON) -m venv --clear $(FAB)
	@$(FAB)/bin/python -m pip --disable-pip-version-check --no-input -qq install \
		--require-hashes -r requirements/flask-appbuilder.txt
	@touch $@
