#!/bin/bash
# Makes the Debian package of a binary: packaging/deb.sh MACHINE BINARY MANUAL FILE
#
# MACHINE is x86_64 or aarch64, MANUAL what `cargo run --example manual -- MANUAL` wrote. The same input gives the same bytes:
# SOURCE_DATE_EPOCH, in seconds since 1970, is the date of everything in it.
set -euo pipefail
umask 022

main() {
	[[ $# = 4 ]] || fail "usage: packaging/deb.sh MACHINE BINARY MANUAL FILE"
	[[ ${SOURCE_DATE_EPOCH-} =~ ^[0-9]+$ ]] || fail "SOURCE_DATE_EPOCH is not set; \`git log -1 --format=%ct\` says one"
	export SOURCE_DATE_EPOCH
	local machine=$1 binary manual file=$4 architecture
	binary=$(realpath -- "$2")
	manual=$(realpath -- "$3")
	case $machine in
	x86_64) architecture=amd64 ;;
	aarch64) architecture=arm64 ;;
	*) fail "there is no Debian architecture for the machine \`$machine\`" ;;
	esac
	checkout=$(realpath -- "$(dirname -- "$0")/..")
	tree=$(mktemp -d)
	trap 'rm -rf -- "$tree"' EXIT
	chmod 0755 "$tree"

	put 0755 "$binary" usr/bin/provision
	put_manual "$manual"
	put_documents
	put_recipes
	put_control "$architecture"
	# With several threads xz would depend on their number.
	DPKG_DEB_THREADS_MAX=1 dpkg-deb -Zxz --build --root-owner-group "$tree" "$file" >/dev/null
}

fail() {
	printf 'deb: %s\n' "$1" >&2
	exit 1
}

# put MODE FILE PATH
put() {
	[[ -f $2 ]] || fail "$2 is missing"
	install -D -m "$1" -- "$2" "$tree/$3"
}

# Compressed as Debian wants it, without a name or a date.
compress() {
	gzip -9 --no-name -- "$tree/$1"
}

put_manual() {
	local page
	for page in "$1"/man/*.1; do
		put 0644 "$page" "usr/share/man/man1/${page##*/}"
		compress "usr/share/man/man1/${page##*/}"
	done
	put 0644 "$1/completions/provision.bash" usr/share/bash-completion/completions/provision
	put 0644 "$1/completions/_provision" usr/share/zsh/vendor-completions/_provision
	put 0644 "$1/completions/provision.fish" usr/share/fish/vendor_completions.d/provision.fish
	local unit
	for unit in provision@.service provision@.timer; do
		put 0644 "$1/units/$unit" "usr/lib/systemd/system/$unit"
	done
	put 0644 "$1/recipe.schema.json" usr/share/provision/recipe.schema.json
}

put_documents() {
	put 0644 "$checkout/LICENSE" usr/share/doc/provision/copyright
	put 0644 "$checkout/CHANGELOG.md" usr/share/doc/provision/CHANGELOG.md
	compress usr/share/doc/provision/CHANGELOG.md
}

# Each is a file of the machine's: what somebody has edited there stays through an upgrade.
put_recipes() {
	local file mode
	while IFS= read -r -d '' file; do
		mode=0644
		if [[ -x $checkout/recipes/$file ]]; then mode=0755; fi
		put "$mode" "$checkout/recipes/$file" "etc/provision/recipes/$file"
	done < <(find "$checkout/recipes" -type f -printf '%P\0')
}

put_control() {
	local script version
	version=$(sed -n '0,/^version = "\(.*\)"$/s//\1/p' "$checkout/Cargo.toml")
	mkdir -m 0755 "$tree/DEBIAN"
	for script in preinst postinst prerm postrm; do
		if [[ -f $checkout/packaging/debian/$script ]]; then
			put 0755 "$checkout/packaging/debian/$script" "DEBIAN/$script"
		fi
	done
	(cd "$tree" && find etc -type f -printf '/%p\n' | LC_ALL=C sort) >"$tree/DEBIAN/conffiles"
	(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
	cat >"$tree/DEBIAN/control" <<-CONTROL
		Package: provision
		Version: $version
		Architecture: $1
		Maintainer: the provision authors
		Installed-Size: $(find "$tree" -type f -printf '%s\n' | awk '{ size += $1 } END { print int(size / 1024) + 1 }')
		Section: admin
		Priority: optional
		Recommends: ca-certificates
		Suggests: lxc
		Description: converges a host and its LXC containers from recipes
		 Brings a Debian host and its LXC containers to what a recipe says, and repairs
		 whatever has drifted when it is run again. It is one static binary that needs
		 nothing else on the machine.
	CONTROL
	chmod 0644 "$tree"/DEBIAN/{conffiles,md5sums,control}
}

main "$@"
