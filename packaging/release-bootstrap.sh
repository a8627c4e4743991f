#!/bin/sh
# Prints the bootstrap.sh of a release: the repository's, with the release's version, place, key and sums filled in.
#
#   packaging/release-bootstrap.sh VERSION URL SUMS [KEY] >bootstrap.sh
#
# URL is where VERSION/ will be, SUMS the release's SHA256SUMS, KEY its public key (packaging/provision.pub).

main() {
	set -eu
	[ $# = 3 ] || [ $# = 4 ] || fail "usage: packaging/release-bootstrap.sh VERSION URL SUMS [KEY]"
	here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
	version=$1 url=${2%/} sums=$3
	key=$(sed -n 2p "${4:-$here/provision.pub}")
	fits "$version" '[0-9]+\.[0-9]+\.[0-9]+' || fail "\`$version\` is no version: three numbers"
	fits "$url" 'https://[A-Za-z0-9._~:/@%+-]+' || fail "\`$url\` is no https:// address"
	fits "$key" 'RW[QRST][A-Za-z0-9+/]{53}' || fail "${4:-$here/provision.pub} is no public key of minisign"
	x86_64=$(sum_of x86_64) aarch64=$(sum_of aarch64)
	[ -n "$x86_64$aarch64" ] || fail "$sums has no binary of provision $version"
	sed -e "s|^\(	release_version=\).*|\1'$version'|" -e "s|^\(	release_url=\).*|\1'$url'|" -e "s|^\(	release_key=\).*|\1'$key'|" \
		-e "s|^\(	release_x86_64=\).*|\1'$x86_64'|" -e "s|^\(	release_aarch64=\).*|\1'$aarch64'|" "$here/../bootstrap.sh"
}

# Prints the sum of the binary for a machine, nothing where the release has none.
sum_of() {
	sed -nE "s/^([0-9a-f]{64}) [ *]provision-$version-$1-linux\$/\1/p" "$sums"
}

# fits TEXT PATTERN: returns whether all of the text, one line, is that.
fits() {
	[ "$(printf '%s' "$1" | grep -cvxE "$2")" = 0 ] && [ -n "$1" ]
}

fail() {
	printf 'release-bootstrap: %s\n' "$1" >&2
	exit 1
}

main "$@"
