#!/bin/sh
# Builds the release binary for a target (`rustc -vV` has this machine's): packaging/build.sh [--check] TARGET
#
# It is target/TARGET/release/provision, and the same bytes wherever the checkout and cargo's home are. With --check nothing is
# built: it only fails where the compiler has no standard library for the target. RUSTC is the compiler.

main() {
	set -eu
	check=
	[ "${1-}" != --check ] || { check=1; shift; }
	[ $# = 1 ] || fail "usage: packaging/build.sh [--check] TARGET"
	CDPATH='' cd -- "$(dirname -- "$0")/.."
	checkout=$(pwd -P)
	cargo_home=${CARGO_HOME:-${HOME:-/root}/.cargo}
	PATH=$PATH:$cargo_home/bin
	find_library "$1" || fail "${RUSTC:-rustc} has no standard library for $1"
	[ -z "$check" ] || return 0
	# Cargo names sources by either, where a link leads there.
	real_home=$(readlink -f -- "$cargo_home")
	for path in "$checkout" "$cargo_home" "$real_home"; do
		case $path in *"'"*) fail "a path with a quote in it cannot be told to cargo: $path" ;; esac
	done
	# They would stand in place of those in .cargo/config.toml.
	unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR
	map=--remap-path-prefix
	flags="'$map=$checkout=/provision', '$map=$cargo_home=/cargo', '$map=$real_home=/cargo'"
	if [ -n "$with_library" ]; then
		prepare_library
		set -- "$1" -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size --config "target.$1.linker = 'musl-gcc'"
	fi
	# Cargo's output goes to stderr.
	cargo build --release --locked --config "target.$1.rustflags = [$flags]" --target "$@" --target-dir target </dev/null >&2
	check_static "target/$1/release/provision"
}

# Sets `with_library` where the library is built as well: of Debian's compiler there is its source, and for musl no more.
find_library() {
	with_library=''
	library=$("${RUSTC:-rustc}" --print target-libdir --target "$1" 2>/dev/null) || return 1
	for file in "$library"/libstd-*.rlib; do
		[ ! -e "$file" ] || return 0
	done
	with_library=$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock
	[ "$1" = "$(uname -m)-unknown-linux-musl" ] && [ -e "$with_library" ] && command -v musl-gcc >/dev/null
}

# Adds what the library needs to `flags` and to the environment. Of what unwinds it refers to two functions, which find nothing
# in a program that has no tables for it.
prepare_library() {
	needs=target/no-unwinding
	mkdir -p -- "$needs"
	musl-gcc -c -x c -o "$needs/unwind.o" - <<-END
		int _Unwind_Backtrace(void *each, void *argument) { return 5; /* the end of the stack */ }
		unsigned long _Unwind_GetIP(void *context) { return 0; }
	END
	ar rcs "$needs/libunwind.a" "$needs/unwind.o"
	flags="$flags, '-Ctarget-feature=+crt-static', '-Crelocation-model=static', '-Clink-self-contained=no'"
	flags="$flags, '-Cforce-frame-pointers=yes', '-Lnative=$needs'"
	export RUSTC_BOOTSTRAP=1 TARGET_CC=musl-gcc
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
