#!/bin/sh
# A disposable Debian host for tests: a privileged LXC container with systemd as PID 1, in which LXC containers can run.
#
#   host.sh up [PACKAGE...]    makes it from the template and waits until it runs; installs the packages
#   host.sh run COMMAND...     runs a command in it, as root, with a clean environment and this standard input
#   host.sh put FILE PATH      copies a file into it, with its mode
#   host.sh reboot             reboots it and waits until it runs again
#   host.sh down               removes every trace of it, also of one that was killed half way up
#
# It reaches what this machine reaches (NAT, this machine's name servers, apt sources and extra certificate authorities),
# lives in memory, and keeps everything below one directory. HOST_NUMBER (0) tells several apart: 3 is the container
# provision-host-3 below /run/provision-host-3 on the bridge provhost3 with 10.213.3.1/24. HOST_SIZE (12g) is its disk.
# TEMPLATE is the root file system: see recipes/files/build-template.sh.
set -eu

number=${HOST_NUMBER:-0}
size=${HOST_SIZE:-12g}
template=${TEMPLATE:-/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst}

fail() {
	printf 'host.sh: %s\n' "$1" >&2
	exit 1
}

case $number in '' | *[!0-9]*) fail "HOST_NUMBER is not a number: $number" ;; esac
name=provision-host-$number
directory=/run/$name
bridge=provhost$number
veth=provhost${number}v
table=provision_host_$number
network=10.213.$number
root=$directory/lxc/$name/rootfs

attach() {
	lxc-attach -P "$directory/lxc" -n "$name" --clear-env -v HOME=/root -v USER=root -v LANG=C.UTF-8 -v TERM=linux -- "$@"
}

# Of this machine; not those that only this machine itself can ask.
name_servers() {
	for file in /etc/resolv.conf /run/systemd/resolve/resolv.conf; do
		if [ -r "$file" ] && grep '^nameserver' "$file" | grep -q -v -e ' 127\.' -e ' ::1'; then
			grep -v -e '^nameserver 127\.' -e '^nameserver ::1' "$file"
			return
		fi
	done
	fail "this machine has no name server that a container can reach"
}

write_config() {
	cat <<-CONFIG
		lxc.include = /usr/share/lxc/config/common.conf
		lxc.arch = $(uname -m)
		lxc.uts.name = $name
		lxc.rootfs.path = dir:$root
		lxc.apparmor.profile = unconfined
		lxc.seccomp.profile =
		lxc.cap.drop =
		lxc.cgroup.devices.allow = a
		lxc.cgroup2.devices.allow = a
		lxc.mount.auto =
		lxc.mount.auto = cgroup:rw:force proc:rw sys:rw
		lxc.mount.entry = proc dev/.lxc/proc proc create=dir,optional 0 0
		lxc.mount.entry = sys dev/.lxc/sys sysfs create=dir,optional 0 0
		lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file,optional 0 0
		lxc.net.0.type = veth
		lxc.net.0.link = $bridge
		lxc.net.0.veth.pair = $veth
		lxc.net.0.flags = up
		lxc.net.0.name = eth0
		lxc.net.0.ipv4.address = $network.2/24
		lxc.net.0.ipv4.gateway = $network.1
	CONFIG
}

wait_until_running() {
	tries=0
	while :; do
		state=$(attach systemctl is-system-running 2>/dev/null </dev/null) || true
		case $state in running | degraded) return ;; esac
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || fail "the host did not come up within a minute: ${state:-no answer}"
		sleep 0.2
	done
}

up() {
	[ ! -e "$directory" ] || fail "$directory is there already; run \`host.sh down\` first"
	[ -r "$template" ] || fail "there is no template $template; see build-template.sh"
	for program in lxc-start nft ip zstd; do
		command -v "$program" >/dev/null || fail "\`$program\` is missing; run \`apt-get install lxc nftables iproute2 zstd\`"
	done
	mkdir -m 0700 "$directory"
	cat /proc/sys/net/ipv4/ip_forward >"$directory/ip_forward"
	mkdir "$directory/lxc"
	mount -t tmpfs -o "mode=0700,size=$size" "$name" "$directory/lxc"
	mkdir -p "$root"
	tar --extract --zstd --numeric-owner --xattrs --xattrs-include=security.capability -C "$root" -f "$template"

	# Privileged, it shares the kernel's settings with this machine: they are not its to set.
	ln -sf /dev/null "$root/etc/systemd/system/systemd-sysctl.service"
	name_servers >"$root/etc/resolv.conf"
	echo "$name" >"$root/etc/hostname"
	printf '127.0.1.1\t%s\n' "$name" >>"$root/etc/hosts"
	mkdir -p "$root/usr/local/share/ca-certificates"
	for certificate in /usr/local/share/ca-certificates/*.crt; do
		[ ! -e "$certificate" ] || cp "$certificate" "$root/usr/local/share/ca-certificates/"
	done
	chroot "$root" update-ca-certificates >/dev/null 2>&1

	ip link add "$bridge" type bridge
	ip address add "$network.1/24" dev "$bridge"
	ip link set "$bridge" up
	echo 1 >/proc/sys/net/ipv4/ip_forward
	nft -f - <<-RULES
		table ip $table
		delete table ip $table
		table ip $table {
			chain postrouting {
				type nat hook postrouting priority srcnat; policy accept;
				ip saddr $network.0/24 oifname != "$bridge" masquerade
			}
		}
	RULES
	write_config >"$directory/lxc/$name/config"
	start
	[ $# = 0 ] || attach sh -ec 'apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"' \
		sh "$@" </dev/null
}

start() {
	if ! lxc-start -P "$directory/lxc" -n "$name" -o "$directory/log" -l ERROR </dev/null; then
		cat "$directory/log" >&2
		fail "the host did not start"
	fi
	wait_until_running
}

reboot() {
	before=$(attach cat /proc/sys/kernel/random/boot_id /proc/1/stat 2>/dev/null </dev/null | cut -d ' ' -f 22 | tail -n 1)
	attach systemctl reboot </dev/null || true
	tries=0
	while after=$(attach cat /proc/1/stat 2>/dev/null </dev/null | cut -d ' ' -f 22) || true; [ -z "$after" ] || [ "$after" = "$before" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "the host did not go down within two minutes"
		sleep 0.2
	done
	wait_until_running
}

down() {
	if [ -e "$directory/lxc/$name/config" ]; then
		lxc-stop -P "$directory/lxc" -n "$name" --kill >/dev/null 2>&1 </dev/null || true
	fi
	if ip link show dev "$bridge" >/dev/null 2>&1; then
		ip link delete dev "$bridge"
	fi
	if nft list table ip "$table" >/dev/null 2>&1; then
		nft delete table ip "$table"
	fi
	while grep -q " $directory/lxc " /proc/self/mounts; do
		umount "$directory/lxc" 2>/dev/null || umount --lazy "$directory/lxc"
	done
	# Others may have come to rely on it meanwhile.
	if [ "$(cat "$directory/ip_forward" 2>/dev/null)" = 0 ] && [ -z "$(ip -o link show type bridge)" ]; then
		echo 0 >/proc/sys/net/ipv4/ip_forward
	fi
	rm -rf --one-file-system "$directory" "/run/lxc/lock$directory"
	# LXC numbers a name that is there already: `NAME-1`. Host 10 is not host 1's.
	find /sys/fs/cgroup -depth -type d -regextype posix-extended -regex ".*/lxc\.(payload|monitor)\.$name(-[0-9]+)?(/.*)?" \
		-exec rmdir {} \; 2>/dev/null || true
}

[ "$(id -u)" = 0 ] || fail "only root can make a host"
[ $# -gt 0 ] || fail "usage: host.sh up|run|put|reboot|down"
command=$1
shift
case $command in
up)
	up "$@"
	;;
run)
	[ $# -gt 0 ] || fail "usage: host.sh run COMMAND..."
	attach "$@"
	;;
put)
	[ $# = 2 ] || fail "usage: host.sh put FILE PATH"
	mode=$(stat -c %a "$1")
	# Through a pipe: lxc-attach sets the mode of a file that is its stdin to 0700.
	# shellcheck disable=SC2016 # for the shell inside
	# shellcheck disable=SC2002
	cat "$1" | attach sh -c 'umask 077; cat >"$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1"' sh "$2" "$mode"
	;;
reboot) reboot ;;
down) down ;;
*) fail "usage: host.sh up|run|put|reboot|down" ;;
esac
