# Every way to build, run and test Pointsman. `make help` lists them; docs/testing.md explains the tests.

SHELL := /bin/sh
PYTHON ?= python3
ARGS ?=
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help run build test quick bench bench-steady bench-rivals chaos fuzz tools parts audit fmt dist

help: ## list the targets
	@echo "usage: make TARGET"
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | awk -F '\t' '{ printf "  %-13s %s\n", $$1, $$2 }'

run: build ## build in release and start on 127.0.0.1:4180 (ARGS="--config my.yaml")
	@cargo run --release --locked --quiet -p pointsman --bin pointsman -- serve $(ARGS)

build: ## build the release binary (the first time: up to 6 minutes on two cores)
	@sh scripts/prerequisites.sh build
	@sh scripts/first_build.sh
	@cargo build --release --locked -p pointsman --bin pointsman

test: ## everything that must hold: format, lints, licences, layers, tests, engines and SDKs
	@sh scripts/prerequisites.sh test
	@$(PYTHON) scripts/stages.py

quick: ## the checks and tests that need no engine and no SDK
	@sh scripts/prerequisites.sh test
	@$(PYTHON) scripts/stages.py --skip parts --skip costs --skip deploy --skip docs --skip e2e

bench: ## compare with a direct call, a bare proxy and nginx; writes docs/PERFORMANCE.md
	@sh scripts/prerequisites.sh build
	@sh scripts/bench.sh compare $(ARGS)

bench-steady: ## thirty minutes at 60 % of the ceiling: no errors, flat memory
	@sh scripts/prerequisites.sh build
	@sh scripts/bench.sh steady $(ARGS)

bench-rivals: ## put the LiteLLM proxy and the Portkey gateway (pinned) beside Pointsman on the same mock
	@sh scripts/prerequisites.sh test
	@sh scripts/bench.sh rivals $(ARGS)

chaos: ## failing providers in every way: the scorecard, then ten minutes of soak (ARGS="--minutes 2")
	@sh scripts/prerequisites.sh build
	@sh scripts/bench.sh chaos $(ARGS)

dist: ## a release in dist/: stripped binary, manual, licences, checksums, bill of materials
	@sh scripts/prerequisites.sh test
	@$(PYTHON) scripts/dist.py $(ARGS)

fuzz: ## run every fuzz target for SECONDS (default 60) each
	@sh scripts/prerequisites.sh build
	@$(PYTHON) scripts/fuzz.py --seconds $(SECONDS) $(ARGS)

tools: ## install the pinned cargo-nextest, cargo-deny and typos into the cache, if absent
	@sh scripts/prerequisites.sh test
	@$(PYTHON) scripts/tools.py

parts: ## install the pinned engine, model and SDKs of the end-to-end tests, if absent
	@sh scripts/prerequisites.sh test
	@$(PYTHON) scripts/parts.py

audit: ## look dependencies up in the advisory database (needs the internet)
	@$(PYTHON) scripts/tools.py --run cargo-deny -- --locked check advisories

fmt: ## format the Rust code
	@cargo fmt --all
