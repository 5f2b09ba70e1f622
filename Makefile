# make demo: install what trains, then fine-tune, compare, export and report on generated receipts.
# make page: install what the web page needs; start_app.sh opens it.
# make test: install everything, then do all that CI runs.
PYTHON ?= python3
BIN := .venv/bin
TRAINS := .venv/.installed-train
PAGE := .venv/.installed-page
TESTS := .venv/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo page test lint install clean
demo: $(TRAINS)
	$(BIN)/ocrtune demo --out demo_out

page: $(PAGE)

test: lint
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal --durations 40

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(TESTS)

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(TRAINS): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e ".[train]"
	touch $@

$(PAGE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e ".[train,ui,openvino]"
	touch $(TRAINS) $@

$(TESTS): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e ".[all,dev]"
	touch $(TRAINS) $(PAGE) $@

clean:
	rm -rf .venv demo_out
