#!/bin/sh
# Builds the root file system of a Debian LXC container, as a tar.zst, from the apt sources of this host.
#
#   build-template.sh DEST SUITE
#   build-template.sh /var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst bookworm
#
# Does nothing if DEST exists. It can be killed at any moment and run again: everything happens in one work directory beside
# DEST and in namespaces that end with this script, and DEST appears by a rename. Needs debootstrap and zstd.
set -eu

packages=systemd,systemd-sysv,libpam-systemd,dbus,init,iproute2,ifupdown,isc-dhcp-client,ca-certificates,netbase
packages=$packages,iputils-ping,procps,login,passwd,adduser,util-linux-extra,less,nano

fail() {
	printf 'build-template: %s\n' "$1" >&2
	exit 1
}

# The Debian entries among the host's apt sources, one a line: URI RELEASE COMPONENT. Apt itself says what is Debian (the
# Origin in the signed Release file), so third-party lists stay out whatever their format, and a private mirror stays in.
debian_sources() {
	# shellcheck disable=SC2016 # apt fills these in
	apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' |
		while IFS='|' read -r origin uri release component; do
			[ "$origin" = Debian ] || continue
			case $uri in
			mirror+file:*) # as in Debian's cloud images: a file with a mirror a line
				uri=${uri#mirror+file:}
				uri=$(grep -v -e '^[[:space:]]*#' -e '^[[:space:]]*$' "${uri%/}" | head -n 1 | cut -f 1)
				;;
			cdrom:* | file:* | copy:*) continue ;;
			esac
			# bookworm-updates becomes SUITE-updates, stable becomes SUITE
			printf '%s/ %s%s %s\n' "${uri%/}" "$suite" "${release#"${release%%-*}"}" "$component"
		done | sort -u
}

# Apt's settings for the way to the mirrors: proxies, retries, freshness. Hooks, and what Debian sets anyway, stay out.
apt_settings() {
	apt-config dump | grep -E \
		-e '^Acquire::(http|https)::([^:]*::)?(Proxy|Timeout|Pipeline-Depth|No-Cache|Verify-Peer|Verify-Host) ' \
		-e '^Acquire::(http|https)::Proxy::' \
		-e '^Acquire::(Retries|Check-Valid-Until|Check-Date|Languages|GzipIndexes|ForceIPv4|ForceIPv6|By-Hash)(::)? ' || true
}

# debootstrap fetches with wget, which does not read apt's settings.
export_proxies() {
	http=$(apt-config shell p Acquire::http::Proxy)
	https=$(apt-config shell p Acquire::https::Proxy)
	eval "p=; $http" && [ -z "$p" ] || [ "$p" = DIRECT ] || export http_proxy="$p"
	eval "p=; $https" && [ -z "$p" ] || [ "$p" = DIRECT ] || export https_proxy="$p"
}

in_root() {
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# Runs alone in namespaces of its own, so that mounts and processes end with it.
build() {
	work=$1
	# In memory if there is plenty: several times faster, and the disk stays clean.
	if [ "$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)" -ge 3000 ]; then
		mount -t tmpfs -o mode=0700,size=2g template "$work/build"
	fi
	root=$work/build/root

	sources=$(debian_sources)
	if [ -z "$sources" ]; then
		apt-get update
		sources=$(debian_sources)
	fi
	mirror=$(printf '%s\n' "$sources" | awk -v suite="$suite" '$2 == suite && $3 == "main" { print $1; exit }')
	[ -n "$mirror" ] || fail "no Debian mirror among the apt sources of this host"
	export_proxies

	debootstrap --variant=minbase --arch="$(dpkg --print-architecture)" --include="$packages" \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$root" "$mirror"

	rm -f "$root/etc/apt/sources.list"
	printf '%s\n' "$sources" | while read -r uri release component; do
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\n' "$uri" "$release" "$component"
		printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n'
	done >"$root/etc/apt/sources.list.d/debian.sources"
	apt_settings >"$root/etc/apt/apt.conf.d/90host"

	# The newest of every package, from the updates and security suites too; nothing may start meanwhile.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 0755 "$root/usr/sbin/policy-rc.d"
	cat /etc/resolv.conf >"$root/etc/resolv.conf"
	in_root apt-get -q update
	in_root apt-get -q -y -o Dpkg::Options::=--force-confold dist-upgrade
	in_root apt-get clean
	rm -f "$root/usr/sbin/policy-rc.d"

	# What a container cannot have; unmasked, an unprivileged one comes up degraded.
	for unit in sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount systemd-journald-audit.socket; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	printf 'LANG=C.UTF-8\n' >"$root/etc/default/locale"
	printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
	printf 'auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n' >"$root/etc/network/interfaces"

	# What must differ from one container to the next, and what is only weight.
	: >"$root/etc/machine-id"
	: >"$root/etc/resolv.conf"
	chmod 0644 "$root/etc/resolv.conf" # debootstrap took the mode of the host's
	rm -f "$root/var/lib/dbus/machine-id" "$root/etc/hostname" "$root"/etc/ssh/ssh_host_*_key*
	rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
	rm -rf "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/var/log/*.log "$root"/var/log/apt/*
	rm -rf "$root"/tmp/* "$root"/run/* "$root"/debootstrap

	# LXC makes /dev; device nodes could not be unpacked by an unprivileged container's root.
	tar --create --directory "$root" --numeric-owner --sort=name --xattrs --xattrs-include=security.capability \
		--exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' . | zstd -q -T0 -9 -o "$work/rootfs.tar.zst"
	# The pipe hides a failed tar.
	zstd -q -dc "$work/rootfs.tar.zst" | tar --list >"$work/list"
	grep -q -x './var/lib/dpkg/status' "$work/list" || fail "the archive is not complete"
	sync "$work/rootfs.tar.zst"
}

if [ "${1-}" = --build ] && [ $# = 3 ]; then
	suite=$3
	build "$2"
	exit 0
fi

[ $# = 2 ] || fail "usage: build-template.sh DEST SUITE"
dest=$1
suite=$2
case $dest in /*) ;; *) dest=$PWD/$dest ;; esac
[ ! -e "$dest" ] || exit 0
[ "$(id -u)" = 0 ] || fail "only root can build a template"
for program in debootstrap zstd unshare setpriv flock; do
	command -v "$program" >/dev/null || fail "\`$program\` is missing; run \`apt-get install debootstrap zstd util-linux\`"
done

directory=${dest%/*}
mkdir -p "$directory"
exec 9<"$directory"
flock 9 # one build at a time; another one may have made it meanwhile
[ ! -e "$dest" ] || exit 0

work=$directory/.${dest##*/}.work
builder=
cleanup() {
	trap '' HUP INT TERM
	if [ -n "$builder" ]; then
		kill -KILL "$builder" 2>/dev/null || true
		wait "$builder" 2>/dev/null || true
	fi
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf --one-file-system "$work" # of one that was killed
mkdir -m 0700 "$work" "$work/build"

# If this shell dies, `setpriv` has the kernel kill `unshare`, which takes every process and mount of the build along.
setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
	sh "$0" --build "$work" "$suite" </dev/null &
builder=$!
wait "$builder" || fail "building \`$dest\` failed"
builder=
chmod 0644 "$work/rootfs.tar.zst"
mv "$work/rootfs.tar.zst" "$dest"
sync "$directory"
