#!/bin/sh
# Makes an apt repository of the packages that /srv/apt/Packages describes, and the only source of this machine, which is a
# disposable one. A stanza is one of deb-control(5); these fields are for us, a line each:
#
#   Preinst, Postinst, Prerm   a shell script
#   Conffile                   what /etc/NAME.conf holds; it is a configuration file of the package
#   Fails: yes                 it can't be configured before there is a /run/NAME-works
#
# The repository is /srv/apt/repository, with NAME_VERSION_ARCHITECTURE.deb in it. With KEY, a key of gpg, it is signed with
# that; UNTIL is the date on which it expires; SOURCE is its line in the sources.
set -eu
cd /srv/apt
rm -rf build repository
mkdir build repository

field() {
	sed -n "s/^$1: //p" "$stanza"
}

script() {
	[ -n "$2" ] || return 0
	printf '#!/bin/sh\nset -e\n%s\n' "$2" >"build/deb/DEBIAN/$1"
	chmod 0755 "build/deb/DEBIAN/$1"
}

awk -v RS= '{ print > sprintf("build/%04d.stanza", NR) }' Packages
for stanza in build/*.stanza; do
	name=$(field Package)
	deb=${name}_$(field Version)_$(field Architecture).deb
	rm -rf build/deb
	mkdir -p build/deb/DEBIAN "build/deb/usr/share/doc/$name"
	echo copyright >"build/deb/usr/share/doc/$name/copyright"
	grep -v -E '^(Preinst|Postinst|Prerm|Conffile|Fails): ' "$stanza" >build/deb/DEBIAN/control
	printf 'Maintainer: nobody <nobody@example.org>\nDescription: for a test\n' >>build/deb/DEBIAN/control
	fails=
	[ "$(field Fails)" != yes ] || fails="[ -e /run/$name-works ] || { echo 'its script says why' >&2; exit 1; }"
	script preinst "$(field Preinst)"
	script postinst "$(field Postinst)$fails"
	script prerm "$(field Prerm)"
	if [ -n "$(field Conffile)" ]; then
		mkdir build/deb/etc
		field Conffile >"build/deb/etc/$name.conf"
		echo "/etc/$name.conf" >build/deb/DEBIAN/conffiles
	fi
	dpkg-deb --root-owner-group -Znone --build build/deb "repository/$deb" >/dev/null
	{
		cat build/deb/DEBIAN/control
		printf 'Filename: ./%s\nSize: %s\n' "$deb" "$(stat -c %s "repository/$deb")"
		printf 'SHA256: %s\n\n' "$(sha256sum "repository/$deb" | cut -d ' ' -f 1)"
	} >>repository/Packages
done
{
	printf 'Suite: test\nDate: %s\n' "$(date -R -u -d '-10 minutes')"
	[ -z "${UNTIL-}" ] || printf 'Valid-Until: %s\n' "$UNTIL"
	printf 'SHA256:\n %s %s Packages\n' "$(sha256sum repository/Packages | cut -d ' ' -f 1)" "$(stat -c %s repository/Packages)"
} >repository/Release
[ -z "${KEY-}" ] || gpg --batch --yes --local-user "$KEY" --clearsign --output repository/InRelease repository/Release
rm -rf build

for source in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
	case $source in */test.list) ;; *) [ ! -e "$source" ] || mv "$source" "/etc/apt/$(basename "$source").before" ;; esac
done
printf '%s\n' "${SOURCE-deb [trusted=yes] file:/srv/apt/repository ./}" >/etc/apt/sources.list.d/test.list
