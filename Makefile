# PiCloud. `make` lists what there is; everything may be run again at any time.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PATH := $(HOME)/.cargo/bin:$(PATH)

# Queries are checked against the committed .sqlx: no database is needed to build.
export SQLX_OFFLINE := true

# Arguments of `picloud dev`, of the test runner and of the benches: make run ARGS='--bind 127.0.0.1:9000'
ARGS ?=
CARGO_FLAGS ?= --locked

say = @printf '\033[1m%s\033[0m\n' '$(1)'
DASHBOARD_SOURCES := $(shell find dashboard -path dashboard/node_modules -prune -o -path dashboard/build -prune \
	-o -path dashboard/.svelte-kit -prune -o -path dashboard/tests -prune -o -path dashboard/packages -prune -o -path dashboard/screenshots -prune -o -path dashboard/test-results -prune -o -type f -print 2>/dev/null)

.PHONY: help setup build run test test-dashboard test-pages test-host test-schema test-aarch64 counts fuzz bench cluster soak lint dashboard sqlx deb ship

help: ## this list
	@printf 'PiCloud\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## install what is missing: Rust target, C compiler, PostgreSQL (asks sudo when not root)
	@./.ci/setup

build: setup dashboard ## the release binary: target/release/picloud
	$(call say,building guest and host (release; some minutes the first time))
	@cargo build $(CARGO_FLAGS) --release -p picloud --bin picloud

deb: build ## the Debian package of the release: target/debian/*.deb
	@./.ci/setup deb
	@tools="$${CARGO_TARGET_DIR:-target}/tools"; "$$tools/bin/cargo-deb" --manifest-path host/Cargo.toml --no-build

ship: setup dashboard ## images and packages, built and checked without an engine; of this program: make ship ARGS=target/release/picloud
	@./.ci/setup ship
	@./docker/check $(ARGS)

run: build ## build everything and start `picloud dev`
	@exec ./target/release/picloud dev $(ARGS)

test: setup test-dashboard test-host test-schema test-pages ## every test

test-dashboard: dashboard
	$(call say,testing the dashboard)
	@cd dashboard && npm run --silent generate -- --check && npm run --silent sdk -- --check && npm run --silent check \
		&& npm run --silent test && npm run --silent size

test-pages: setup dashboard ## the dashboard's pages in a real browser (some minutes)
	$(call say,testing the pages in a browser)
	@./.ci/setup browser
	@cargo test $(CARGO_FLAGS) --quiet -p picloud --test it --no-run # brings the binary, built as for the other tests
	@cd dashboard && PICLOUD='$(CURDIR)/target/debug/picloud' npm run --silent test:e2e

test-host: setup dashboard
	$(call say,testing guest and host)
	@cargo test $(CARGO_FLAGS) -p picloud --lib --bins --test it -- $(ARGS)

test-schema: setup dashboard ## the API of a running server against its document (Schemathesis)
	$(call say,asking the API what its document says)
	@./.ci/setup schema
	@cargo test $(CARGO_FLAGS) --quiet -p picloud --test it --no-run # brings the binary
	@./.ci/schemathesis

test-aarch64: dashboard ## the core of the tests on 64-bit ARM, under qemu (slow; not part of `make test`)
	@./.ci/test-aarch64 $(ARGS)

counts: setup dashboard ## instructions of one request and one delivery, held against .ci/counts.json: make counts ARGS=--write
	@./.ci/setup counts
	@cargo test $(CARGO_FLAGS) --quiet -p picloud --test it --no-run # brings the binary
	@./.ci/with-postgres ./.ci/counts $(ARGS)

TARGET ?=
SECONDS ?= 20
fuzz: setup ## look for inputs that break what is read: make fuzz TARGET=routes SECONDS=600
	@FUZZ_SECONDS='$(SECONDS)' ./.ci/fuzz $(TARGET)

bench: dashboard ## measure all there is, and make host/benches/README.md of it: make bench ARGS="--quick overload"
	@./.ci/setup bench
	@CARGO_FLAGS='$(CARGO_FLAGS)' ./.ci/bench $(ARGS)

cluster: setup dashboard ## three nodes, PostgreSQL and Caddy under faults and load (root): make cluster ARGS='--fault kill --seconds 20'
	@./.ci/setup cluster
	@cargo test $(CARGO_FLAGS) --quiet -p picloud --test it --no-run # brings the binary
	@/usr/bin/python3 tests/cluster faults $(ARGS)

soak: setup dashboard ## the same three nodes under mixed load for a long time: make soak ARGS='--minutes 30 --rate 100'
	@./.ci/setup cluster
	@cargo test $(CARGO_FLAGS) --quiet -p picloud --test it --no-run # brings the binary
	@/usr/bin/python3 tests/cluster soak $(ARGS)

lint: setup dashboard ## formatting and clippy, as .ci/run does
	@cargo fmt --all --check
	@cargo clippy $(CARGO_FLAGS) -p picloud --all-targets -- -D warnings
	@cargo clippy $(CARGO_FLAGS) -p picloud-guest --target wasm32-unknown-unknown -- -D warnings

dashboard: dashboard/build/index.html ## the administration's pages, built into the binary

dashboard/node_modules/.package-lock.json: dashboard/package-lock.json
	$(call say,installing the packages of the dashboard)
	@cd dashboard && npm ci --silent --no-audit --no-fund
	@touch $@

dashboard/build/index.html: dashboard/node_modules/.package-lock.json $(DASHBOARD_SOURCES)
	$(call say,building the dashboard)
	@cd dashboard && npm run --silent build
	@touch $@

sqlx: setup ## write .sqlx anew after a query or a migration has changed
	@./.ci/with-postgres ./host/sqlx-prepare.sh
