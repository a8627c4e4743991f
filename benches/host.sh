#!/bin/bash
# What a run that changes nothing costs on a host: 175 resources (directories, files, packages, groups, users, units, git,
# commands) in a disposable host, against a bare reading of the same: `cat` of the files and of dpkg's and the accounts'
# records, and one `systemctl show`. CPU seconds with those of all children, the median of 15 rounds, both in each round.
#
#   packaging/build.sh && benches/host.sh
set -euo pipefail
cd "$(dirname "$0")/.."
export HOST_NUMBER=${HOST_NUMBER:-0}

recipe() {
	local n
	echo 'name = "mix"'
	for ((n = 0; n < 5; n++)); do printf '[[directory]]\npath = "/srv/d%d"\n' "$n"; done
	for ((n = 0; n < 90; n++)); do
		printf '[[file]]\npath = "/srv/d%d/f%d"\ncontent = "%0500d\\n"\nowner = "daemon"\nmode = "0640"\n' $((n % 5)) "$n" "$n"
	done
	for n in bash coreutils dash dpkg apt findutils grep gzip hostname login mount passwd perl-base sed tar util-linux systemd \
		dbus iproute2 git; do
		printf '[[package]]\nname = "%s"\n' "$n"
	done
	for ((n = 0; n < 10; n++)); do printf '[[group]]\nname = "g%d"\n' "$n"; done
	for ((n = 0; n < 10; n++)); do printf '[[user]]\nname = "u%d"\ngroups = ["g%d"]\n' "$n" "$n"; done
	for ((n = 0; n < 10; n++)); do
		printf '[[unit]]\nname = "x%d.service"\nenabled = true\nactive = true\nsettle = "0s"\n' "$n"
		printf 'content = "[Service]\\nExecStart=/usr/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"\n'
	done
	printf '[[command]]\nname = "repo"\nargv = ["git", "init", "-q", "/srv/repo"]\ncreates = "/srv/repo"\n'
	printf '[[command]]\nname = "commit"\nonce = true\nargv = ["git", "-C", "/srv/repo", "-c", "user.name=a", '
	printf '"-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"]\n'
	for ((n = 0; n < 5; n++)); do printf '[[git]]\npath = "/srv/git%d"\nurl = "/srv/repo"\n' "$n"; done
	for ((n = 0; n < 23; n++)); do
		printf '[[command]]\nname = "c%d"\nargv = ["touch", "/srv/c%d"]\ncreates = "/srv/c%d"\n' "$n" "$n" "$n"
	done
}

scratch=$(mktemp -d)
trap 'tests/lab/host.sh down; rm -rf "$scratch"' EXIT
recipe >"$scratch/mix.toml"
tests/lab/host.sh down
tests/lab/host.sh up git >/dev/null 2>&1
tests/lab/host.sh put target/release/provision /usr/local/bin/provision
tests/lab/host.sh put "$scratch/mix.toml" /root/mix.toml
tests/lab/host.sh run provision apply /root/mix.toml --yes | tail -n 1
# shellcheck disable=SC2016 # for the shell inside
tests/lab/host.sh run bash -euc '
	units=$(echo x{0..9}.service)
	bare() {
		cat /srv/d*/f* /var/lib/dpkg/status /etc/passwd /etc/group /etc/shadow /srv/git*/.git/{HEAD,config} \
			/etc/systemd/system/x*.service /root/mix.toml >/dev/null
		systemctl show $units >/dev/null
	}
	TIMEFORMAT="%U %S"
	for round in {1..15}; do
		{ time for n in {1..10}; do bare; done; } 2>&1
		{ time for n in {1..10}; do provision apply /root/mix.toml --yes >/dev/null; done; } 2>&1
	done
	provision apply /root/mix.toml --yes | tail -n 1 >&2' |
	awk '{ cpu[NR % 2, ++count[NR % 2]] = ($1 + $2) / 10 }
		function median(which, i, j, t) {
			for (i = 1; i <= count[which]; i++) for (j = i + 1; j <= count[which]; j++)
				if (cpu[which, j] < cpu[which, i]) { t = cpu[which, i]; cpu[which, i] = cpu[which, j]; cpu[which, j] = t }
			return cpu[which, int((count[which] + 1) / 2)]
		}
		END {
			bare = median(1); run = median(0)
			printf "bare reading %.4f CPU s, apply without changes %.4f CPU s, ratio %.2f\n", bare, run, run / bare
		}'
