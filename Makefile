# make demo    start everything on http://127.0.0.1:8080 (PORT= moves it)
# make test    check the code and run every test
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
WORKERS ?= auto

.PHONY: demo test check bench docs picture fixtures clean

demo: $(STAMPS)/run
	@$(BIN)/massage-cds demo --port $(PORT)

test: check
	$(BIN)/python -m pytest -n $(WORKERS) -rs

check: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMPS)/dev
	$(BIN)/python -m tests.bench $(ARGS)

# Pages made from code and policies; tests fail when they are stale.
docs: $(STAMPS)/dev
	$(BIN)/python -m cds_service.settings > docs/settings.md
	$(BIN)/python -m cds_service.card_page > docs/cards.md
	$(BIN)/python -m cds_service.terminology.document
	$(BIN)/python -m cds_service.policies.document
	$(BIN)/python -m tests.conformance.page
	$(BIN)/python -m cds_service.crd.document
	$(BIN)/python -m tests.crd.page

# The pictures of README.md; needs Chromium.
picture: $(STAMPS)/dev
	$(BIN)/python -m tests.browser.picture

# Patients and requests of the demo, made from fhir_fixtures/stories.
fixtures: $(STAMPS)/run
	$(BIN)/python -m fhir_fixtures.generate

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMPS)/run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run

$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $$python -c 'import ensurepip, venv' 2>/dev/null || { \
	      echo "$$python cannot make a virtual environment: install python3-venv (Debian, Ubuntu)"; \
	      exit 1; }; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "no Python 3.11 or newer found: install python3.11, or name one: make PYTHON=python3.12"; \
	exit 1
