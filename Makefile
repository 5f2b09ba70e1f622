# make demo: install, then fine-tune, compare, export and report on generated receipts.
# make test: install, then everything that CI runs.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test lint install clean
demo: install
	$(BIN)/ocrtune demo --out demo_out

test: lint
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal --durations 40

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	touch $@

clean:
	rm -rf .venv demo_out
