#!/bin/bash
# Makes a release of this checkout: packaging/release.sh [OPTION...] [VERSION]
#
#   VERSION             what is meant to be released; any other version in Cargo.toml is an error
#   --key FILE          the minisign key that signs (or PROVISION_SIGNING_KEY); it asks for the key's password, if it has one
#   --public-key FILE   what the signature must hold against: packaging/provision.pub, the one that those who install have
#   --url URL           where people find the releases: https://…, with VERSION/ in it (or PROVISION_BASE_URL)
#   --output DIR        where it goes: target/dist
#   --machines "LIST"   for which machines: x86_64 aarch64
#   --libc "LIST"       which C library is linked: musl where a compiler here has it, else gnu
#   --manual DIR        what `cargo run --example manual -- DIR` has written; without, it is run
#
# DIR/VERSION/ has the static binaries, the packages, bootstrap.sh, SHA256SUMS and its signature; DIR/latest says VERSION. What
# it needs, and what Debian has of that, is in packaging/README.md. Nothing is at DIR/VERSION before all of it is.
set -euo pipefail

key=${PROVISION_SIGNING_KEY-} url=${PROVISION_BASE_URL-}
public_key='' output='' manual='' expected=''
machines=(x86_64 aarch64) libcs=(musl gnu)

main() {
	read_arguments "$@"
	cd "$(dirname -- "$0")/.."
	PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
	version=$(sed -n '0,/^version = "\(.*\)"$/s//\1/p' Cargo.toml)
	[[ -z $expected || $expected = "$version" ]] || fail "Cargo.toml has version $version, and $expected is to be released"
	: "${output:=$PWD/target/dist}" "${public_key:=$PWD/packaging/provision.pub}"
	[[ ! -e $output/$version ]] || fail "$output/$version is there already: no release is written over; move it away, or release a new version"
	find_date
	find_tools
	find_toolchains

	mkdir -p -- "$output"
	exec {lock}<"$output"
	flock --nonblock "$lock" || fail "another release is being made in $output"
	new=$output/.new
	rm -rf -- "$new" "$new.sums" # of one that was killed
	trap 'rm -rf -- "$new" "$new.sums"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	umask 022
	mkdir -- "$new"
	make_manual
	local machine
	for machine in "${machines[@]}"; do make_for "$machine"; done
	fill_bootstrap
	sign
	mv -T -- "$new" "$output/$version"
	printf '%s\n' "$version" >"$output/.latest"
	mv -- "$output/.latest" "$output/latest"
	say "$output/$version has the release:"
	(cd "$output/$version" && ls -l)
}

say() {
	printf 'release: %s\n' "$1" >&2
}

fail() {
	say "$1"
	exit 1
}

# The checkout is where it runs: what is named on the command line is named from here.
read_arguments() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--key | --public-key | --url | --output | --machines | --libc | --manual)
			[[ -n ${2-} ]] || fail "$1 wants a value"
			;;&
		--key) key=$2 ;;
		--public-key) public_key=$(realpath -- "$2") ;;
		--url) url=$2 ;;
		--output) output=$(realpath -m -- "$2") ;;
		--machines) read -ra machines <<<"$2" ;;
		--libc) read -ra libcs <<<"$2" ;;
		--manual) manual=$(realpath -- "$2") ;;
		-*) fail "there is no option $1; see the head of packaging/release.sh" ;;
		*)
			[[ -z $expected ]] || fail "one VERSION can be released, not $expected and $1"
			expected=$1
			shift
			continue
			;;
		esac
		shift 2
	done
	[[ -z $key ]] || key=$(realpath -- "$key")
}

# That of the commit: a release is of what is committed. An export without git says its own.
find_date() {
	if [[ -e .git ]]; then
		[[ -z $(git status --porcelain) ]] || fail "there are changes that are not committed: commit them, or \`git stash\` them"
		: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
	fi
	[[ ${SOURCE_DATE_EPOCH-} =~ ^[0-9]+$ ]] || fail "this is no git checkout, so SOURCE_DATE_EPOCH has to say its date, in seconds since 1970"
	export SOURCE_DATE_EPOCH
}

find_tools() {
	local tool missing=()
	for tool in cargo dpkg-deb minisign readelf sha256sum; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	[[ ${#missing[@]} = 0 ]] || fail "missing: ${missing[*]}; see packaging/README.md"
	[[ -n $key ]] || fail "there is no key to sign with: --key FILE; \`minisign -G -s FILE -p packaging/provision.pub\` makes one"
	[[ $url = https://?* ]] || fail "bootstrap.sh has to know where the releases are: --url https://…"
	export PROVISION_RELEASE_URL=$url # for `provision self update`
	[[ -r $key ]] || fail "the key $key cannot be read"
	[[ -r $public_key ]] || fail "the public key $public_key cannot be read"
}

declare -A target=() compiler=()

# All that is missing is said before anything is built.
find_toolchains() {
	local machine able=1
	for machine in "${machines[@]}"; do
		if ! find_toolchain "$machine"; then
			say "no compiler here builds for $machine: install what packaging/README.md has for it"
			able=0
		elif [[ $machine != "$(uname -m)" ]] && ! { command -v "$machine-linux-gnu-gcc" && emulator "$machine"; } >/dev/null; then
			say "to link and to run what is built for $machine: \`apt-get install gcc-${machine//_/-}-linux-gnu qemu-user-static\`"
			able=0
		fi
	done
	[[ $able = 1 ]] || fail "nothing was built; \`--machines\` says for which machines to release"
}

find_toolchain() {
	local found
	found=$(packaging/build.sh --find "$1" "${libcs[@]}") && read -r "target[$1]" "compiler[$1]" <<<"$found"
}

# emulator MACHINE: what runs its programs here. Debian 13 calls it otherwise.
emulator() {
	command -v "qemu-$1-static" || command -v "qemu-$1"
}

make_manual() {
	[[ -z $manual ]] || return 0
	manual=$PWD/target/manual
	rm -rf -- "$manual"
	cargo run --quiet --locked --example manual -- "$manual" </dev/null
}

# make_for MACHINE: the binary and the package.
make_for() {
	local binary=$new/provision-$version-$1-linux triple=${target[$1]}
	say "building for $triple with $("${compiler[$1]}" --version)"
	RUSTC=${compiler[$1]} packaging/build.sh "$triple"
	install -m 0755 "target/$triple/release/provision" "$binary"
	try "$1" "$binary"
	case $1 in
	x86_64) packaging/deb.sh "$1" "$binary" "$manual" "$new/provision_${version}_amd64.deb" ;;
	aarch64) packaging/deb.sh "$1" "$binary" "$manual" "$new/provision_${version}_arm64.deb" ;;
	esac
}

# try MACHINE BINARY: it runs, here or in an emulator, and does something: a recipe, twice.
try() {
	local run=("$2") place=$new/try said hint=''
	if [[ $1 != "$(uname -m)" ]]; then
		run=("$(emulator "$1")" "$2") hint='; the emulator has to be qemu 9.2 or later'
	fi
	said=$("${run[@]}" --version)
	[[ $said = "provision $version" ]] || fail "$2 says \`$said\`, not \`provision $version\`"
	mkdir "$place"
	cat >"$place/try.toml" <<-RECIPE
		name = "try"
		[[directory]]
		path = "$place/made"
		[[file]]
		path = "$place/made/file"
		content = "{{ 40 + 2 }}\n"
		[[command]]
		name = "sh"
		script = "echo ran >$place/made/ran"
		creates = "$place/made/ran"
	RECIPE
	run+=(--state-dir "$place/state" apply --yes "$place/try.toml")
	said=$("${run[@]}" 2>&1) || fail "\`${run[*]}\` failed: $said$hint"
	[[ $said = *"applied: 3 changed"* && $(cat "$place"/made/*) = $'42\nran' ]] || fail "\`${run[*]}\` did not do what the recipe says: $said"
	said=$("${run[@]}" 2>&1) || fail "\`${run[*]}\` failed a second time: $said"
	[[ $said = *"applied: 0 changed, 3 in sync"* ]] || fail "\`${run[*]}\` changed something a second time: $said"
	rm -r "$place"
}

sums() {
	(cd "$new" && export LC_ALL=C && sha256sum -- *)
}

fill_bootstrap() {
	local script
	sums >"$new.sums"
	script=$(packaging/release-bootstrap.sh "$version" "$url" "$new.sums" "$public_key")
	rm -- "$new.sums"
	printf '%s\n' "$script" >"$new/bootstrap.sh"
	chmod 0755 "$new/bootstrap.sh"
}

sign() {
	local list
	list=$(sums)
	printf '%s\n' "$list" >"$new/SHA256SUMS"
	minisign -S -s "$key" -m "$new/SHA256SUMS" -x "$new/SHA256SUMS.minisig" \
		-t "provision $version" -c "provision $version" >/dev/null
	minisign -V -q -p "$public_key" -m "$new/SHA256SUMS" -x "$new/SHA256SUMS.minisig" ||
		fail "the signature does not hold against $public_key: it is not the public half of $key"
}

main "$@"
