# Faultprint. `make demo` shows it at work, `make test` tries it; both set themselves up.
PYTHON ?= python3.11
SEED ?= 1
BIN := .venv/bin
PIP := $(BIN)/pip -qq --disable-pip-version-check
STAMP := .venv/.ready
# A file's tests stay together, for what they share; files in their order, for those that wait longest do not come last.
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: setup lock demo model test check bench docs format clean servers testbed-setup container-steps

setup: $(STAMP)

$(STAMP): pyproject.toml lab/pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(PIP) install torch==2.13.0
	$(PIP) install --require-hashes --requirement requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable . --editable lab
	@touch $@

# The newest versions within the bounds of pyproject.toml, with their hashes.
lock: setup
	$(BIN)/python -m faultprint_lab.lock

demo: setup
	$(BIN)/faultprint demo --seed $(SEED) --out build/demo

# The model, library and card that the wheel carries: about 15 minutes on two cores.
model: setup
	$(BIN)/python -m faultprint_lab.pretrained
	$(BIN)/python -m faultprint_lab.pages.build

test: setup servers
	$(PYTEST)

check: setup servers
	$(BIN)/ruff format --check src tests lab
	$(BIN)/ruff check --no-cache src tests lab
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m faultprint_lab.pages.build --check
	$(PYTEST) --hypothesis-profile=check

bench: setup
	cd lab && ../$(BIN)/python -m benchmarks --out ../build/bench/figures.json

docs: setup
	$(BIN)/python -m faultprint_lab.pages.build

format: setup
	$(BIN)/ruff format src tests lab
	$(BIN)/ruff check --fix src tests lab

# PostgreSQL and Prometheus, which some tests run as they are: from Debian, where root may install them and they are lacking.
# Tests start their own processes, so Debian's services are not wanted. Where they cannot be had, those tests are skipped.
servers:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  for pair in prometheus=/usr/bin/prometheus postgresql=/usr/lib/postgresql; do \
	    [ -e "$${pair#*=}" ] && continue; \
	    apt-get update -q; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$${pair%=*}"; \
	    systemctl disable --now "$${pair%=*}" 2>/dev/null; \
	  done; \
	fi; true

# The steps of deploy/container/Containerfile without a container: wheels first, then an installation without network.
container-steps: setup
	rm -rf build/container
	$(PIP) wheel --require-hashes --requirement deploy/container/requirements.lock --wheel-dir build/container/wheels
	$(PIP) wheel --no-deps --wheel-dir build/container/wheels .
	$(PYTHON) -m venv build/container/venv
	build/container/venv/bin/pip install --quiet --disable-pip-version-check --no-index --find-links build/container/wheels 'faultprint[monitor,postgres]'
	build/container/venv/bin/faultprint monitor --help >/dev/null
	build/container/venv/bin/python -c 'import faultprint.monitor.build, faultprint.monitor.serve.http, psycopg'
	! build/container/venv/bin/python -c 'import torch' 2>/dev/null
	du -sh build/container/venv

# The Debian packages of the test bed; its beds start their own processes, so Debian's service is not wanted.
testbed-setup: setup
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$($(BIN)/python -m faultprint_lab.testbed.topology.packages)
	systemctl disable --now kamailio 2>/dev/null || true

clean:
	rm -rf build .venv
