#!/bin/sh
# Installs Node.js and npm below /usr/local from an npm registry, for machines that reach no other source of Node.js.
#
#   node-from-registry.sh VERSION REGISTRY [INTEGRITY [NPM-VERSION [NPM-INTEGRITY]]]
#   node-from-registry.sh 22.23.3 https://registry.npmjs.org
#
# The packages are node-linux-ARCH and npm. Their checksums (`sha512-…`, as the registry writes them) can be pinned by the
# arguments; one that is not given is asked of the registry. Does nothing if these versions are there. It can be killed at
# any moment and run again: all is unpacked aside and renamed, and node comes first, npm's links last.
# Needs curl and openssl (ca-certificates brings it); certificates come from the system's store.
set -eu

fail() {
	printf 'node-from-registry: %s\n' "$1" >&2
	exit 1
}

case $# in 2 | 3 | 4 | 5) ;; *) fail "usage: node-from-registry.sh VERSION REGISTRY [INTEGRITY [NPM-VERSION [NPM-INTEGRITY]]]" ;; esac
version=${1#v}
registry=${2%/}
integrity=${3-}
npm_version=${4-12.2.0}
npm_integrity=${5-}
if [ "$npm_version" = 12.2.0 ] && [ -z "$npm_integrity" ]; then
	npm_integrity=sha512-ZsJjKpTnlmSXOLLXiU1xDCzC4Wlok4IwZmh/aw2KUuXytU7q6qMv/cUT7MoeSf95Slwuw/lRXYefGzGCspHPNQ==
fi
for it in "$version" "$npm_version"; do
	case $it in '' | *[!0-9A-Za-z.-]*) fail "not a version: $it" ;; esac
done
case $(uname -m) in
x86_64) arch=x64 ;;
aarch64) arch=arm64 ;;
*) fail "the registry has no Node.js for $(uname -m)" ;;
esac

prefix=/usr/local
modules=$prefix/lib/node_modules

installed_npm() {
	sed -n 's/^[[:space:]]*"version":[[:space:]]*"\([^"]*\)".*/\1/p' "$modules/npm/package.json" 2>/dev/null | head -n 1
}

is_complete() {
	[ "$("$prefix/bin/node" --version 2>/dev/null)" = "v$version" ] && [ "$(installed_npm)" = "$npm_version" ] &&
		[ "$(readlink "$prefix/bin/npm")" = ../lib/node_modules/npm/bin/npm-cli.js ] &&
		[ "$(readlink "$prefix/bin/npx")" = ../lib/node_modules/npm/bin/npx-cli.js ]
}

# Fetches PACKAGE at VERSION and unpacks it to DIRECTORY once its checksum, or the registry's, is right.
unpack() {
	package=$1 at=$2 expected=$3 directory=$4
	if [ -z "$expected" ]; then
		expected=$(curl -fsSL --retry 5 "$registry/$package/$at" | grep -o '"integrity": *"sha512-[^"]*"' | head -n 1 |
			cut -d '"' -f 4)
		[ -n "$expected" ] || fail "$registry has no $package $at"
	fi
	mkdir "$directory"
	curl -fsSL --retry 5 -o "$directory.tgz" "$registry/$package/-/$package-$at.tgz"
	actual=sha512-$(openssl dgst -sha512 -binary "$directory.tgz" | base64 -w 0)
	[ "$actual" = "$expected" ] || fail "$package $at is not what was expected: $actual instead of $expected"
	tar --extract --gzip --no-same-owner --strip-components=1 --directory "$directory" --file "$directory.tgz"
	rm -f "$directory.tgz"
}

# Puts a link in place in one step, over whatever is there.
link() {
	ln -sfn "$1" "$work/link"
	mv -fT "$work/link" "$2"
}

! is_complete || exit 0
mkdir -p "$prefix/bin" "$modules"
exec 9<"$prefix/lib"
flock 9
! is_complete || exit 0

work=$prefix/lib/.node-from-registry
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf "$work"
mkdir -m 0755 "$work"

if [ "$("$prefix/bin/node" --version 2>/dev/null)" != "v$version" ]; then
	unpack "node-linux-$arch" "$version" "$integrity" "$work/node"
	[ "$("$work/node/bin/node" --version)" = "v$version" ] || fail "this Node.js does not run here"
	rm -rf "$prefix/include/node"
	mkdir -p "$prefix/include"
	mv "$work/node/include/node" "$prefix/include/node" # what native modules are compiled against
	mv -fT "$work/node/bin/node" "$prefix/bin/node"
fi
if [ "$(installed_npm)" != "$npm_version" ]; then
	unpack npm "$npm_version" "$npm_integrity" "$work/npm"
	chmod 0755 "$work/npm/bin/npm-cli.js" "$work/npm/bin/npx-cli.js"
	rm -rf "$modules/npm"
	mv -T "$work/npm" "$modules/npm"
fi
link ../lib/node_modules/npm/bin/npm-cli.js "$prefix/bin/npm"
link ../lib/node_modules/npm/bin/npx-cli.js "$prefix/bin/npx"
is_complete || fail "node or npm is not as it should be"
