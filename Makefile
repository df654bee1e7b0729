# Everything starts here; `make` alone prints the list. The work is done by infra/.
.DEFAULT_GOAL := help
.PHONY: help run stop reset test bench bench-micro build fmt lint deny sample parts-up parts-down

help: ## this list
	@awk -F ' ?## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  make %-11s %s\n", $$1, $$2 }' Makefile

run: ## set up and start everything, send the sample, stay up; CI=1: exit after the sample
	@infra/run

stop: ## stop `make run` from another terminal, and what a killed one left behind
	@infra/stop

reset: ## delete the data of `make run`; asks first, YES=1: does not ask
	@infra/reset

test: ## style checks and all tests, on real Kafka and Postgres; T="-p domain": only these tests
	@infra/test $(T)

bench: ## measure the whole on its own ports; the figures go to benches/results (about 6 minutes)
	@infra/bench

bench-micro: ## measure the functions that every message passes
	@infra/cargo bench -p benches --bench hot_path

build: ## the release binaries, in target/release
	@infra/cargo build --release --bins

fmt: ## format the Rust code
	@infra/cargo fmt

lint: ## what make test checks before the tests
	@infra/cargo fmt --check
	@infra/cargo clippy --workspace --all-targets -- -D warnings

deny: ## check the dependencies: licences, sources, who may use which (wants cargo-deny)
	@infra/deny

sample: ## make samples/recipients.csv anew
	@python3 samples/make_recipients.py

parts-up: ## start Kafka and Postgres of the test profile and leave them up
	@infra/parts up test

parts-down: ## stop them
	@infra/parts down test
