#!/bin/sh
# Builds the release binary, which is the same bytes wherever the checkout and cargo's home are.
#
#   packaging/build.sh                           for this machine, by what --find finds: target/release/provision
#   packaging/build.sh TARGET                    for a target of the compiler RUSTC: target/TARGET/release/provision
#   packaging/build.sh --find MACHINE [LIBC...]  builds nothing: prints the target for the machine and the compiler that has a
#                                                library for it, with musl where one has, else with gnu

main() {
	set -eu
	CDPATH='' cd -- "$(dirname -- "$0")/.."
	PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
	case ${1-} in
	--find)
		[ $# -ge 2 ] || usage
		shift
		find_toolchain "$@"
		;;
	'')
		found=$(find_toolchain "$(uname -m)") || fail "no compiler here builds for this machine: install Rust as https://rustup.rs says"
		export RUSTC="${found#* }"
		build "${found% *}"
		mkdir -p -- target/release
		ln -f -- "target/${found% *}/release/provision" target/release/provision
		;;
	-*) usage ;;
	*)
		[ $# = 1 ] || usage
		build "$1"
		;;
	esac
}

usage() {
	fail "usage: packaging/build.sh [TARGET | --find MACHINE [LIBC...]]"
}

# fail WHAT
fail() {
	printf 'build: %s\n' "$1" >&2
	exit 1
}

# find_toolchain MACHINE [LIBC...]. A library that is built as well is smaller than the one that a compiler brings. Debian's own
# compiler has its source, and knows targets that the one of rustup may have nothing for.
find_toolchain() {
	machine=$1
	shift
	[ $# -gt 0 ] || set -- musl gnu
	for libc in "$@"; do
		for has in has_source has_library; do
			for compiler in "${RUSTC:-rustc}" /usr/bin/rustc; do
				if is_new "$compiler" && "$has" "$compiler" "$machine-unknown-linux-$libc"; then
					printf '%s\n' "$machine-unknown-linux-$libc $compiler"
					return
				fi
			done
		done
	done
	return 1
}

# is_new COMPILER: by major and minor version.
is_new() {
	wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
	version=$("$1" --version 2>/dev/null) || return 1
	version=${version#rustc }
	minor=${version#*.}
	[ "${version%%.*}" -gt "${wanted%%.*}" ] || { [ "${version%%.*}" = "${wanted%%.*}" ] && [ "${minor%%.*}" -ge "${wanted#*.}" ]; }
}

# has_source COMPILER TARGET: whether the library can be built with the program, which is for musl alone.
has_source() {
	case $2 in *-musl) [ -e "$(musl_specs "$2")" ] || return 1 ;; *) return 1 ;; esac
	root=$("$1" --print sysroot 2>/dev/null) && [ -e "$root/lib/rustlib/src/rust/library/Cargo.lock" ]
}

# has_library COMPILER TARGET
has_library() {
	# `ring` has C in it.
	case $2 in *-musl) [ -e "$(musl_specs "$2")" ] || return 1 ;; esac
	library=$("$1" --print target-libdir --target "$2" 2>/dev/null) || return 1
	for file in "$library"/libstd-*.rlib; do
		[ ! -e "$file" ] || return 0
	done
	return 1
}

# musl_specs TARGET: what gcc is told to compile and link with musl, of Debian's musl-dev.
musl_specs() {
	printf '%s\n' "/usr/lib/${1%%-*}-linux-musl/musl-gcc.specs"
}

# build TARGET
build() {
	compiler=${RUSTC:-rustc} machine=${1%%-*}
	has_source "$compiler" "$1" || has_library "$compiler" "$1" || fail "$compiler has no standard library for $1"
	checkout=$(pwd -P)
	cargo_home=${CARGO_HOME:-${HOME:-/root}/.cargo}
	# Cargo names sources by either, where a link leads there.
	real_home=$(readlink -f -- "$cargo_home")
	for path in "$checkout" "$cargo_home" "$real_home"; do
		case $path in *"'"*) fail "a path with a quote in it cannot be told to cargo: $path" ;; esac
	done
	# They would stand in place of those in .cargo/config.toml.
	unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR
	map=--remap-path-prefix
	flags="'$map=$checkout=/provision', '$map=$cargo_home=/cargo', '$map=$real_home=/cargo'"
	linker=cc
	[ "$machine" = "$(uname -m)" ] || linker=$machine-linux-gnu-gcc
	export TARGET_CC="$linker"
	case $1 in *-musl) make_musl_gcc "$(musl_specs "$1")" ;; esac
	if has_source "$compiler" "$1"; then
		linker=$TARGET_CC
		add_unwinding
		flags="$flags, '-Ctarget-feature=+crt-static', '-Crelocation-model=static', '-Clink-self-contained=no'"
		flags="$flags, '-Cforce-frame-pointers=yes', '-Lnative=$tools'"
		export RUSTC_BOOTSTRAP=1
		set -- "$1" -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size
	fi
	# Cargo's output goes to stderr.
	cargo build --release --locked --config "target.${1}.linker = '$linker'" --config "target.${1}.rustflags = [$flags]" \
		--target "$@" --target-dir target </dev/null >&2
	check_static "target/$1/release/provision"
}

# make_musl_gcc SPECS: as that of Debian's musl-tools, for any machine. It is found by its name alone: a path may have spaces in it.
make_musl_gcc() {
	tools=target/musl-$machine
	mkdir -p -- "$tools"
	printf '#!/bin/sh\nexec %s-linux-gnu-gcc "$@" -specs %s\n' "$machine" "$1" >"$tools/musl-gcc"
	chmod 755 "$tools/musl-gcc"
	PATH=$checkout/$tools:$PATH
	TARGET_CC=musl-gcc
}

# Of what unwinds, the library refers to two functions; they find nothing in a program that has no tables for it.
add_unwinding() {
	musl-gcc -c -x c -o "$tools/unwind.o" - <<-END
		int _Unwind_Backtrace(void *each, void *argument) { return 5; /* the end of the stack */ }
		unsigned long _Unwind_GetIP(void *context) { return 0; }
	END
	"$machine-linux-gnu-ar" rcs "$tools/libunwind.a" "$tools/unwind.o"
}

check_static() {
	headers=$(readelf --program-headers --dynamic --wide "$1") || fail "\`readelf\` cannot read $1; install binutils"
	case $headers in
	*INTERP* | *NEEDED*) fail "$1 is not static: it needs what \`readelf --program-headers --dynamic $1\` shows" ;;
	esac
}

main "$@"
