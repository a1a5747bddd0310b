# Faultprint. `make demo` shows it at work, `make test` tries it; both set themselves up.
PYTHON ?= python3.11
SEED ?= 1
BIN := .venv/bin
STAMP := .venv/.ready

.PHONY: setup demo test check bench docs format clean testbed-setup

setup: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,monitor,dev]'
	@touch $@

demo: setup
	$(BIN)/faultprint demo --seed $(SEED) --out build/demo

test: setup
	$(BIN)/pytest

check: setup
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m faultprint.docs --check
	$(BIN)/pytest

bench: setup
	$(BIN)/python -m benchmarks --out build/bench/figures.json

docs: setup
	$(BIN)/python -m faultprint.docs

format: setup
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

# The Debian packages of the test bed; its beds start their own processes, so Debian's service is not wanted.
testbed-setup: setup
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$($(BIN)/python -m faultprint.testbed.packages)
	systemctl disable --now kamailio 2>/dev/null || true

clean:
	rm -rf build .venv
