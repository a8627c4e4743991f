#!/bin/sh
# Small root file systems for tests of the binary: DIRECTORY/bullseye.tar, bookworm.tar and trixie.tar hold that release's C
# library with its name service modules, getent and a shell; DIRECTORY/busybox is a static one.
#
#   roots.sh DIRECTORY
#
# Packages come from this machine's Debian mirror, checked by apt, and are unpacked, not installed. What is there already is
# left alone; each file appears by a rename, so that a killed run leaves none by half.
set -eu

# dash and the C library's programs, with what they need; what resolves names through systemd, sssd and by group.
packages="libc6 libc-bin libcrypt1 dash libnss-systemd libcap2 libsss-nss-idmap0 libnss-sss libgcc-s1"
archive=http://archive.debian.org/debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
	printf 'roots.sh: %s\n' "$1" >&2
	exit 1
}

[ $# = 1 ] || fail "usage: roots.sh DIRECTORY"
directory=$1
for file in bullseye.tar bookworm.tar trixie.tar busybox; do
	[ -e "$directory/$file" ] || missing=$file
done
[ -n "${missing-}" ] || exit 0
mkdir -p "$directory"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2016 # apt fills these in
mirror=$(apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI)|$(RELEASE)' 'Created-By: Packages' |
	awk -F '|' '$1 == "Debian" && $2 == "main" && $4 !~ /-/ { print $3; exit }')
mirror=${mirror:-http://deb.debian.org/debian}

# Runs apt-get on one release alone, with lists, cache and records of its own.
apt_get() {
	apt-get -q -o Dir::Etc::SourceList="$work/$release/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$work/$release/lists" -o Dir::State::Status=/dev/null \
		-o Dir::Cache="$work/$release/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@" </dev/null
}

# Downloads packages of a release into $work/RELEASE/debs: from the mirror, or from where Debian keeps its old releases.
download() {
	release=$1
	shift
	mkdir -p "$work/$release/lists/partial" "$work/$release/cache/archives/partial" "$work/$release/debs"
	for uri in "${mirror%/}" "$archive"; do
		printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$uri" "$release" >"$work/$release/sources.list"
		if apt_get update -o APT::Update::Error-Mode=any &&
			(cd "$work/$release/debs" && apt_get download "$@"); then
			return
		fi
	done
	fail "$release could not be downloaded"
}

for release in bullseye bookworm trixie; do
	[ ! -e "$directory/$release.tar" ] || continue
	# shellcheck disable=SC2086 # a list of words
	download "$release" $packages
	root=$work/$release/root
	# From bookworm on, every program and library is below /usr.
	mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/etc" "$root/root" "$root/tmp"
	for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
	for deb in "$work/$release/debs"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar --extract --keep-directory-symlink -C "$root"
	done
	ln -sf dash "$root/usr/bin/sh"
	printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\ndaemon:x:1:\n' >"$root/etc/group"
	# A root that cannot look up a user at all would prove nothing.
	[ "$(chroot "$root" getent passwd daemon)" = daemon:x:1:1::/:/bin/sh ] || fail "getent does not work in $release"
	rm -rf "$root/usr/share/doc" "$root/usr/lib/"*/gconv
	tar -C "$root" -cf "$work/$release.tar" .
	mv "$work/$release.tar" "$directory/$release.tar"
done

if [ ! -e "$directory/busybox" ]; then
	download bookworm busybox-static
	dpkg-deb -x "$work/bookworm/debs"/busybox-static_*.deb "$work/busybox"
	mv "$work/busybox/bin/busybox" "$directory/busybox"
fi
