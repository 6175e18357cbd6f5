# make help lists what there is. Every target makes the virtual environments it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell tools/find-python)
STAGE ?= prod
PORT ?= 8080
ENGINE ?= memory
DEV := .venv/.made
ENV_ENGINE := .venv-engine/.made
PY := .venv/bin/python
# Chalice will not package without a region; nothing here talks to AWS.
export AWS_DEFAULT_REGION ?= eu-central-1

.PHONY: help
help: ## Show this list
	@printf 'Headrace. make TARGET [NAME=value]\n\n'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(DEV) $(ENV_ENGINE) ## Run everything on this machine [PORT=8080] [FRESH=1 forgets the saved state]
	@exec $(PY) -m local.run --port $(PORT) $(if $(FRESH),--fresh)

.PHONY: test
test: $(DEV) ## Prove the project: unit, integration, contract, simulation, browser [ARGS="-k name"]
	@$(PY) -m pytest -m "not engine" -n 2 $(ARGS)

.PHONY: e2e
e2e: $(DEV) $(ENV_ENGINE) ## Deploy the packaged app into the local engine and drive orders through it
	@$(PY) -m pytest -m engine tests/e2e -n 2 --dist loadfile $(ARGS)

.PHONY: check
check: $(DEV) ## Lint, format check, types, import rules, packaged template
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m tools.package --stage prod --lint

.PHONY: package
package: $(DEV) ## Build what AWS gets: build/STAGE/sam.json and deployment.zip [STAGE=prod]
	@$(PY) -m tools.package --stage $(STAGE)

.PHONY: sim
sim: $(DEV) ## Simulate under seeded faults [SEEDS=300] [SEED_BASE=n], or one seed again [SEED=n]
	@$(PY) -m local.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),300) $(if $(SEED_BASE),--seed-base $(SEED_BASE)))

.PHONY: replay
replay: $(DEV) $(if $(filter local,$(ENGINE)),$(ENV_ENGINE)) ## Feed real orders through the stages: FILE="path.csv.gz …" [ENGINE=memory|local] [LIMIT=n] [ON_HAND=percent]
	@test -n "$(FILE)" || { echo "make replay needs FILE=path to an Online Retail CSV (plain or .gz)" >&2; exit 2; }
	@for file in $(FILE); do test -r "$$file" || { echo "make replay: cannot read $$file" >&2; exit 2; }; done
	@$(PY) -m local.replay $(FILE) --engine $(ENGINE) $(if $(LIMIT),--limit $(LIMIT)) $(if $(ON_HAND),--on-hand $(ON_HAND))

.PHONY: stock
stock: $(DEV) ## Stock by CSV, and why it is what it is: ARGS="import FILE [--apply]" or ARGS="explain SKU"
	@$(PY) -m local.stock $(or $(ARGS),--help)

.PHONY: read
read: $(DEV) ## Show how Headrace understands a payload: CHANNEL=shopify|amazon|ebay|storefront FILE=payload.json
	@test -n "$(CHANNEL)" || { echo "make read needs CHANNEL=shopify, amazon, ebay or storefront" >&2; exit 2; }
	@test -n "$(FILE)" || { echo "make read needs FILE=path to a payload" >&2; exit 2; }
	@test -r "$(FILE)" || { echo "make read: cannot read $(FILE)" >&2; exit 2; }
	@$(PY) -m local.read $(CHANNEL) "$(FILE)"

.PHONY: bench
bench: $(DEV) ## Measure import times and the size of the package
	@$(PY) -m tools.bench

.PHONY: bench-cost
bench-cost: $(DEV) ## Count what orders cost at AWS list prices [FILE=month.csv.gz] [RATE=10 orders a second] [STORED=1000000]
	@$(PY) -m local.cost $(if $(FILE),--file $(FILE)) $(if $(RATE),--rate $(RATE)) $(if $(ORDERS),--orders $(ORDERS)) $(if $(STORED),--stored $(STORED))

.PHONY: lock
lock: ## Pin the newest versions again: requirements-*.in -> requirements-*.txt
	@tools/lock $(PYTHON)

.PHONY: clean
clean: ## Remove environments, builds and local state
	rm -rf .venv .venv-engine .local build .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(DEV): requirements-dev.txt
	@tools/make-venv "$(PYTHON)" .venv requirements-dev.txt

$(ENV_ENGINE): requirements-engine.txt
	@tools/make-venv "$(PYTHON)" .venv-engine requirements-engine.txt
