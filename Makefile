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

.DEFAULT_GOAL := help
.PHONY: help setup build run test fixtures bench lint sqlx-prepare

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## install the programs that are missing (Debian and Ubuntu)
	@scripts/setup.sh

build: ## build the binary (RELEASE=1: optimised)
	@echo "building alta, profile $(PROFILE)$(if $(filter dev,$(PROFILE)), (RELEASE=1 for an optimised one))"
	@$(BUILD)

run: setup build ## install what is missing, build, run everything in the foreground
	@exec $(ALTA) up

test: setup ## install what is missing, run the whole test suite
	$(CARGO) test --workspace

fixtures: setup build ## send every sample file through the running binary, print a table
	$(CARGO) run --quiet -p e2e --bin fixtures

bench: setup ## measure an optimised build: how soon a commit is visible; prints p50, p99 and max
	$(CARGO) build --release -p alta -p benches
	$(CARGO) run --release --quiet -p benches --bin visible

lint: ## formatting, clippy with warnings denied, and cargo deny where it is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check bans licenses sources; \
	else echo "cargo-deny is not installed, deny.toml is not checked"; fi

sqlx-prepare: ## write .sqlx anew from the queries and a freshly migrated private database
	@scripts/sqlx-prepare.sh
