#!/bin/sh
# Builds the release binary for a target (`rustc -vV` has this machine's): packaging/build.sh TARGET
#
# It is target/TARGET/release/provision, and the same bytes wherever the checkout and cargo's home are.

main() {
	set -eu
	[ $# = 1 ] || fail "usage: packaging/build.sh TARGET"
	CDPATH='' cd -- "$(dirname -- "$0")/.."
	checkout=$(pwd -P)
	cargo_home=${CARGO_HOME:-${HOME:-/root}/.cargo}
	PATH=$PATH:$cargo_home/bin
	# Cargo names sources by either, where a link leads there.
	real_home=$(readlink -f -- "$cargo_home")
	for path in "$checkout" "$cargo_home" "$real_home"; do
		case $path in *"'"*) fail "a path with a quote in it cannot be told to cargo: $path" ;; esac
	done
	# They would stand in place of those in .cargo/config.toml.
	unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR
	# Cargo's output goes to stderr.
	map=--remap-path-prefix
	cargo --config "target.$1.rustflags = ['$map=$checkout=/provision', '$map=$cargo_home=/cargo', '$map=$real_home=/cargo']" \
		build --release --locked --target "$1" --target-dir target </dev/null >&2
	check_static "target/$1/release/provision"
}

# fail WHAT
fail() {
	printf 'build: %s\n' "$1" >&2
	exit 1
}

check_static() {
	headers=$(readelf --program-headers --dynamic --wide "$1") || fail "\`readelf\` cannot read $1; install binutils"
	case $headers in
	*INTERP* | *NEEDED*) fail "$1 is not static: it needs what \`readelf --program-headers --dynamic $1\` shows" ;;
	esac
}

main "$@"
