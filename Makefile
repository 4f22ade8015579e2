# Everything by name. `make` alone lists what there is. Cargo alone is enough: no plug-in is presumed.

CARGO ?= cargo

ifeq ($(RELEASE),1)
PROFILE := release
BUILD := $(CARGO) build --release -p alta
else
PROFILE := dev
BUILD := $(CARGO) build -p alta
endif
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
ALTA := $(TARGET_DIR)/$(if $(filter release,$(PROFILE)),release,debug)/alta

comma := ,

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests build run test schemathesis fixtures hostile chaos fuzz bench bench-soak bench-growth bench-visible bench-engines bench-lists bench-claims bench-upload bench-verify bench-rebuild lint openapi sqlx-prepare

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## install the programs that are missing (Debian and Ubuntu)
	@scripts/setup.sh

build: ## build the binary (RELEASE=1: optimised)
	@echo "building alta, profile $(PROFILE)$(if $(filter dev,$(PROFILE)), (RELEASE=1 for an optimised one))"
	@$(BUILD)

run: setup build ## install what is missing, build, run everything in the foreground
	@exec $(ALTA) up

setup-tests: ## the same, and what only the tests run
	@scripts/setup.sh --tests

test: setup-tests ## install what is missing, run the whole test suite
	$(CARGO) test --workspace

schemathesis: setup ## hold the running service against its own OpenAPI document for about four minutes
	@scripts/schemathesis.sh

fixtures: setup build ## send every sample file through the running binary, renew the table in docs/engines.md
	$(CARGO) run --quiet -p e2e --bin fixtures -- docs/engines.md

hostile: setup-tests ## send 600 damaged files through processing (`make test` sends 40 of them)
	ALTA_MUTATED=600 $(CARGO) test -p processors --test it -- mutated --nocapture

chaos: setup-tests ## 200 faults while clients work (FAULTS=n SEED=n to change; `make test` has 12 of them)
	$(CARGO) build -p alta
	ALTA_CHAOS_FAULTS=$(or $(FAULTS),200) $(if $(SEED),ALTA_CHAOS_SEED=$(SEED)) \
	$(CARGO) test -p e2e --test it -- whatever_fails --nocapture

fuzz: ## fuzz what reads foreign bytes, each target for ten minutes (SECONDS=n TARGET=name to change; `make test` replays the corpus)
	@scripts/fuzz.sh $(or $(SECONDS),600) $(TARGET)

bench: setup ## measure an optimised build, within fifteen minutes: what it takes and how fast it answers, beside pgbench (docs/performance.md)
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin load -- $(or $(ITEMS),100000)
	$(CARGO) run --release --quiet -p benches --bin rebuild -- $(or $(EVENTS),200000)
	$(CARGO) run --release --quiet -p benches --bin verify -- $(or $(EVENTS),200000) 1
	$(CARGO) bench -p benches --bench parts -- --warm-up-time 1 --measurement-time 2

bench-soak: setup ## measure an optimised build: 20 minutes (MINUTES=n) at half of saturation, memory each minute
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin load -- soak $(or $(MINUTES),20)

bench-growth: setup ## measure an optimised build: the same command with 1,000, 100,000 and 5,000,000 events stored (SIZES=n,n,n)
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin growth -- $(or $(SIZES),1000$(comma)100000$(comma)5000000)

bench-visible: setup ## measure an optimised build: how soon a commit is visible, at 100 submissions a second for 30 s
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin visible

bench-lists: setup ## measure an optimised build: lists and searches over 100,000 items, page 1 and page 1,000
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin lists

bench-engines: setup ## measure an optimised build: pages a second beside tesseract alone, and what a job costs beside its engine
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin engines

bench-claims: setup ## measure an optimised build: 50 reviewers take on 10,000 items, none twice
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin claims

bench-verify: setup ## measure an optimised build: the hash chain of 1,000,000 events recomputed, exported and verified offline
	$(CARGO) build --release -p benches
	$(CARGO) run --release --quiet -p benches --bin verify

bench-upload: setup ## measure an optimised build: memory while a 300 MB recording is uploaded, to a directory and to S3
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin upload_memory

bench-rebuild: setup ## measure an optimised build: the review queue made anew from 1,000,000 events, beside plain COPY
	$(CARGO) run --release --quiet -p benches --bin rebuild

lint: ## formatting, clippy with warnings denied, and cargo deny where it is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check bans licenses sources; \
	else echo "cargo-deny is not installed, deny.toml is not checked"; fi

openapi: ## write docs/openapi.json anew from the handlers
	UPDATE_SNAPSHOTS=1 $(CARGO) test -p alta --test it openapi

sqlx-prepare: ## write .sqlx anew from the queries and a freshly migrated private database
	@scripts/sqlx-prepare.sh
