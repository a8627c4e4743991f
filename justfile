# Short names for what is done every day; `just` lists them. Nothing else needs this file.

_list:
    @just --list --unsorted

# What changes with every edit: formatting, lints, tests that need no machine
check: fmt lint test

fmt:
    cargo fmt

lint:
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --test e2e -- -D warnings

# Unit, case, contract and command line tests; `just test NAME` for some
test *filter:
    cargo test --locked {{ filter }}

# Everything, on real containers, as root
all:
    tests/run

# How much more a converge without changes costs than reading the files
bench:
    cargo bench --locked --bench converge

# The same for a host with packages, users, units, git and commands, in a disposable one; as root
bench-host: release
    benches/host.sh

# The static binary, as it is released
release:
    packaging/build.sh
    ls -l target/release/provision

# A release in target/dist: `just release-all --key FILE --url URL 0.1.0`; packaging/README.md
release-all *arguments:
    packaging/release.sh {{ arguments }}

# Licences, advisories, bans and sources; needs cargo-deny
deny:
    cargo deny --locked check

# Runs what is built from this checkout: `just run plan recipes/eidolons.toml`
run *arguments:
    cargo run --locked --quiet -- {{ arguments }}

# Writes docs/recipes.md and recipes/recipe.schema.json anew, from docs/recipes.in.md and the doc comments of the kinds
docs:
    RENEW_DOCS=1 cargo test --locked --test suite documents
    RENEW_DOCS=1 cargo test --locked --test suite schema

# Writes the pages of the manual, the completions of shells and the schema of recipes into a directory
manual directory:
    cargo run --locked --quiet --example manual -- {{ directory }}
