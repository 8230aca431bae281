# `make demo` and `make test` do everything on a fresh machine; `make help` lists the rest.
# PG=15|16|17|18 in front of any target chooses the server's version; without it, the newest installed one is taken.

.DEFAULT_GOAL := help
.NOTPARALLEL:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## build, start a private cluster and show tv rows following changes (EXAMPLE=blog, shop, comments or dashboard)
	EXAMPLE="$(EXAMPLE)" scripts/demo.sh

demo-stop: ## end the demo cluster
	scripts/demo-stop.sh

test: lint unit regress cluster package-test ## every test; "make -k test" goes on after a failure

test-all: ## every test on every version
	failed=; for version in 15 16 17 18; do $(MAKE) PG=$$version test || failed="$$failed $$version"; done; \
		[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

setup: ## install what is missing: the server, cargo-pgrx
	scripts/setup.sh

build: setup ## compile (debug)
	scripts/cargo.sh build

install: setup ## install the extension (release build) into the server
	scripts/install.sh --release

docs: ## make the book of docs/ with its search, in target/book
	scripts/docs.sh

package: setup ## a .deb, a tar.gz, a list of components and checksums, in target/packages
	scripts/package.sh

package-test: setup ## the packages, installed into a folder of their own, and the guide run on them
	scripts/package_test.sh

lint: clippy ## formatting, lints (warnings are errors), and which folder imports which
	cargo fmt --check
	scripts/cargo.sh test --test floors

clippy: setup ## lints alone
	scripts/cargo.sh clippy --all-targets --features pg_test -- -D warnings
	scripts/cargo.sh clippy --test cluster -- -D warnings

unit: setup ## unit tests, and the tests that run inside a server
	scripts/unit.sh

regress: setup ## SQL regression tests in tests/pg_regress
	scripts/regress.sh

cluster: setup ## real clusters: workers, crashes, concurrency
	scripts/test_programs.sh
	scripts/install.sh
	scripts/monitoring.sh
	scripts/mdbook.sh
	scripts/chromium.sh
	from="$${PG_TVIEWS_UPGRADE_FROM-$$(scripts/older_server.sh)}" && PG_TVIEWS_UPGRADE_FROM="$$from" scripts/cargo.sh test --test cluster

fuzz: setup ## random views, changes and queries for a long time (PG_TVIEWS_FUZZ_ROUNDS schemas, default 1000)
	scripts/install.sh
	PG_TVIEWS_FUZZ_ROUNDS="$${PG_TVIEWS_FUZZ_ROUNDS:-1000}" scripts/cargo.sh test --test cluster -- random_views random_queries --nocapture

soak: setup ## consumers of the change feed through crashes and DDL for a long time (PG_TVIEWS_SOAK_SECONDS, default an hour)
	scripts/install.sh
	PG_TVIEWS_SOAK_SECONDS="$${PG_TVIEWS_SOAK_SECONDS:-3600}" scripts/cargo.sh test --test cluster -- feed::soak --nocapture

bench: setup ## what TVIEWs cost and how late they are, measured on private clusters (about an hour)
	scripts/install.sh --release
	scripts/cargo.sh bench --bench scenarios

bench-quick: setup ## fewer groups with less data, under three minutes
	scripts/install.sh --release
	scripts/cargo.sh bench --bench scenarios -- --quick

release: setup ## set the version everywhere (VERSION=1.2.3), and check that the release is complete
	scripts/release.sh "$(VERSION)"

.PHONY: bench bench-quick docs fuzz soak package package-test release help demo demo-stop test test-all setup build install lint clippy unit regress cluster
