# Every verb makes what it needs from Python >= 3.11, make and git alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PACKAGES := core tenants plugins/blindbox plugins/checkin plugins/checkout plugins/groupbuy plugins/messages plugins/orders plugins/points plugins/tiers plugins/vouchers plugins/webhooks plugins/welcome plugins/winback
SOURCES := -p threepeat -p threepeat_tenants -p threepeat_blindbox -p threepeat_checkin -p threepeat_checkout -p threepeat_groupbuy -p threepeat_messages -p threepeat_orders -p threepeat_points -p threepeat_tiers -p threepeat_vouchers -p threepeat_webhooks -p threepeat_welcome -p threepeat_winback

# Each of the many processes that a run starts would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-servers test-browser check format bench proofs journey storm docs screenshots lock audit clean

help: ## say what the verbs do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

BENCHES := $(filter run commands growth road overload,$(basename $(notdir $(wildcard tests/bench/*.py))))
ASSETS := tenants/package-lock.json tenants/hatch_build.py tenants/assets/echarts.js

$(STAMP): constraints.txt $(PACKAGES:%=%/pyproject.toml) $(ASSETS)
	@$(PYTHON) -c 'import sys; sys.exit("Threepeat needs Python 3.11 or newer; name one with make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

demo: $(STAMP) ## run everything with a simulated store; ORDERS=file MAP="order_id=… …" runs on real orders
	$(BIN)/threepeat demo $(if $(ORDERS),--orders "$(ORDERS)" $(foreach item,$(MAP),--map $(item))) $(ARGS)

test: $(STAMP) ## check, then run the suite; DATABASE_URL=… runs it on a server of yours (a superuser's URL)
	$(MAKE) check
	$(BIN)/python -m pytest -n 2 --dist worksteal $(or $(ARGS),-m "not long and not browser and not alone")
	$(if $(ARGS),,$(BIN)/python -m pytest -m alone)

test-servers: $(STAMP) ## run the suite embedded, on PostgreSQL 15, and through PgBouncer; ARGS="--only pooler core/tests"
	$(BIN)/python tests/servers/run.py $(or $(ARGS),-n 2 --dist worksteal -m "not long and not browser and not alone")

test-browser: $(STAMP) ## drive the consoles in Chromium, then measure them; ARGS="--screenshots folder"
	$(BIN)/python tests/browser/prepare.py
	$(BIN)/python -m pytest -m browser tests/browser $(ARGS)
	$(BIN)/python tests/browser/load.py

check: $(STAMP) ## lint, format, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports

format: $(STAMP) ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure side by side, and write the page of promises; ONLY=run|commands|growth|road|overload for one
	@failed=0; \
	for name in $(or $(ONLY),$(BENCHES)); do \
	  $(BIN)/python tests/bench/$$name.py $(ARGS) || failed=1; \
	done; exit $$failed

proofs: $(STAMP) ## run the proofs that take hours: every named place, planted mistakes, histories, draws, the whole API
	$(BIN)/python -m pytest -m long tests core tenants plugins $(ARGS)
	HISTORIES=10000 SEQUENCES=1000 $(BIN)/python -m pytest tests/histories plugins/points/tests/rewards/test_machine.py \
	  plugins/checkout/tests/test_machine.py plugins/vouchers/tests/test_machine.py $(ARGS)
	HISTORIES=1000 SEQUENCES=200 $(BIN)/python -m pytest plugins/tiers/tests/test_histories.py \
	  plugins/messages/tests/test_machine.py plugins/groupbuy/tests/test_machine.py plugins/blindbox/tests/test_machine.py $(ARGS)

journey: $(STAMP) ## a stranger's plugin from its first line to its last row, with built wheels; ARGS="--keep folder"
	$(BIN)/python tests/journey/journey.py $(ARGS)

storm: $(STAMP) ## kill processes at random and at every named place, and count; ARGS="--seconds 3600 --seed 7"
	$(BIN)/python tests/faults/storm.py $(ARGS)

docs: $(STAMP) ## write the generated reference pages and build the documentation
	$(BIN)/python docs/reference.py
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

screenshots: $(STAMP) ## make the pictures of the documentation anew, from a demo; ARGS="home tactics" names some
	$(BIN)/python docs/screenshots.py $(ARGS)

lock: $(STAMP) ## choose new versions of what Threepeat stands on
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --no-annotate --upgrade --group dev core/pyproject.toml \
	  tenants/pyproject.toml plugins/webhooks/pyproject.toml --no-emit-package threepeat-core --extra parquet --extra developer -o constraints.txt

audit: $(STAMP) ## say which pinned versions have known vulnerabilities; ARGS="--vulnerability-service osv"
	test -d $(VENV)/audit || $(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip-audit
	$(BIN)/python tests/security/audit.py $(VENV)/audit/bin/pip-audit $(ARGS)

clean: ## remove the environment and everything built
	rm -rf $(VENV) docs/_build
