#!/bin/sh
# Builds provision from the checkout in which this file stands, installs it, and runs it with the arguments given.
#
#   packaging/from-source.sh                                       builds and installs
#   packaging/from-source.sh apply recipes/eidolons.toml --yes     does so, then runs `provision apply recipes/eidolons.toml --yes`
#
# Needs a Rust toolchain; a C linker is installed where there is none. PROVISION_INSTALL_DIR (/usr/local/bin) is where the
# binary goes. Can be killed at any moment and run again.

main() {
	set -eu
	directory=${PROVISION_INSTALL_DIR:-/usr/local/bin}
	checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
	[ -f "$checkout/src/main.rs" ] ||
		fail "$checkout is no checkout of provision" "run this as a file of the checkout: packaging/from-source.sh"
	is_writable "$directory" ||
		fail "$directory cannot be written" "run this as root, or set PROVISION_INSTALL_DIR to a directory of yours"
	directory=$(CDPATH='' cd -- "$directory" && pwd -P)

	find_rust
	find_linker
	build
	install_binary
	[ $# = 0 ] || exec "$directory/provision" "$@"
}

say() {
	printf 'from-source: %s\n' "$1" >&2
}

# fail WHAT REMEDY
fail() {
	say "$1"
	say "$2"
	exit 1
}

is_writable() {
	mkdir -p -- "$1" 2>/dev/null
	[ -d "$1" ] && [ -w "$1" ]
}

# A Rust toolchain, with which something can be built for this machine.
find_rust() {
	PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
	wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$checkout/Cargo.toml")
	remedy="install Rust $wanted or later as https://rustup.rs says, then run this again"
	command -v cargo >/dev/null || fail "there is no Rust toolchain: \`cargo\` was not found" "$remedy"
	about=$(cd "$checkout" && cargo --version && rustc --version) ||
		fail "the Rust toolchain does not work: \`cargo --version\` or \`rustc --version\` failed" "$remedy"
	found=$("$checkout/packaging/build.sh" --find "$(uname -m)") ||
		fail "this cannot be built with $(printf '%s\n' "$about" | tail -n 1)" "$remedy"
}

# The static binary needs libc.a besides.
find_linker() {
	! links || return 0
	remedy="install a C compiler with the static C library (Debian: gcc and libc6-dev), then run this again"
	command -v apt-get >/dev/null || fail "\`cc\` or its C library is missing" "$remedy"
	[ "$(id -u)" = 0 ] || fail "\`cc\` or its C library is missing, and only root can install them" "$remedy"
	say "installing gcc and libc6-dev"
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -q update && apt-get -q -y --no-install-recommends install gcc libc6-dev; } >&2 </dev/null ||
		fail "apt-get could not install gcc and libc6-dev" "$remedy"
	links || fail "gcc and libc6-dev are installed, and \`cc\` still finds no libc.a" "$remedy"
}

links() {
	command -v cc >/dev/null || return 1
	case $(cc -print-file-name=libc.a) in /*) return 0 ;; esac
	return 1
}

build() {
	say "building for ${found% *} with $("${found#* }" --version)"
	"$checkout/packaging/build.sh" ||
		fail "the build failed" "see above; with a network that reaches crates.io, run this again"
}

install_binary() {
	built=$checkout/target/release/provision
	if cmp -s "$built" "$directory/provision"; then
		return 0
	fi
	for left in "$directory"/.provision.new.*; do # of one that was killed
		rm -f -- "$left"
	done
	new=$directory/.provision.new.$$
	trap 'rm -f -- "$new"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	cp -- "$built" "$new"
	chmod 0755 "$new"
	sync -- "$new" 2>/dev/null || sync
	mv -f -- "$new" "$directory/provision"
	trap - EXIT INT TERM
	say "installed $directory/provision"
}

main "$@"
