#!/bin/sh
# Downloads provision, checks who signed it, installs it, and runs it with the arguments given.
#
#   curl --proto '=https' --tlsv1.2 -sSf URL/bootstrap.sh | sh                              installs
#   curl --proto '=https' --tlsv1.2 -sSf URL/bootstrap.sh | sh -s -- apply eidolons.toml    does so, then applies a recipe
#
# PROVISION_VERSION       which version, such as 0.1.0, or `latest`; else that of this script, else the latest
# PROVISION_BASE_URL      a mirror: https://… with VERSION/ in it
# PROVISION_OFFLINE_FILE  a binary that was brought here, with SHA256SUMS and SHA256SUMS.minisig beside it: nothing is downloaded
# PROVISION_INSTALL_DIR   where to, in place of /usr/local/bin
# PROVISION_NO_PROMPT     if not empty, nobody is asked
# PROVISION_TIMEOUT       how many seconds a download may take (300), PROVISION_RETRIES how often it is tried again (3)
#
# Trust rests on the signature, or on the sums in a release's own copy of this script: where neither can be checked, nothing
# is installed. It can be cut off anywhere, killed at any moment and run again.

main() {
	set -eu
	umask 022
	release
	find_machine
	find_place
	if [ -n "${PROVISION_OFFLINE_FILE-}" ]; then
		find_file
	else
		find_downloader
		choose_version
	fi
	binary=provision-$version-$machine-linux
	find_sum
	if [ -f "$target" ] && [ "$(sha256 "$target")" = "$expected" ]; then
		say "$target is provision $version already"
	else
		ask
		install_binary
	fi
	clean_up
	trap - EXIT HUP INT TERM
	if [ $# = 0 ]; then
		say "see \`$target --help\`"
	else
		run "$@"
	fi
}

# The repository's copy knows no release; packaging/release-bootstrap.sh fills these lines in.
release() {
	release_version=''
	release_url=''
	release_key='RWSDYWDWhc94mcp7yxuK7ceUYn718dDWe5Kg9pfzyzReXS+st9t4mO1G'
	release_x86_64=''
	release_aarch64=''
}

say() {
	printf 'bootstrap: %s\n' "$1" >&2
}

# fail WHAT REMEDY
fail() {
	say "$1"
	say "$2"
	exit 1
}

has() {
	command -v "$1" >/dev/null 2>&1
}

# Sets `machine` and `pinned`, the sum that this script has of its own release's binary. Looks for what checks sums.
find_machine() {
	system=$(uname -s)
	machine=$(uname -m)
	[ "$system" = Linux ] || fail "provision runs on Linux, and this is $system" "run this on the Linux machine that is to be provisioned"
	case $machine in
	x86_64 | amd64) machine=x86_64 pinned=$release_x86_64 ;;
	aarch64 | arm64) machine=aarch64 pinned=$release_aarch64 ;;
	*) fail "there is no provision for a machine of the kind $machine" "build it there from a checkout: packaging/from-source.sh" ;;
	esac
	has sha256sum || has openssl || has shasum ||
		fail "there is no program here that can check a SHA-256" "install coreutils or openssl, then run this again"
}

# Sets `target`, and `work`: a directory of ours beside it, so that the binary comes into place by a rename.
find_place() {
	directory=${PROVISION_INSTALL_DIR:-/usr/local/bin}
	other="run this as root, or set PROVISION_INSTALL_DIR to a directory of yours"
	mkdir -p -- "$directory" 2>/dev/null || fail "$directory cannot be made" "$other"
	directory=$(CDPATH='' cd -- "$directory" && pwd -P) || fail "$directory cannot be entered" "$other"
	target=$directory/provision
	[ ! -d "$target" ] || fail "$target is a directory" "move it away, or set PROVISION_INSTALL_DIR to another directory"
	for left in "$directory"/.provision.new.*; do # of one that was killed
		if [ "${left##*.}" = $$ ] || ! kill -0 "${left##*.}" 2>/dev/null; then rm -rf -- "$left"; fi
	done
	work=$directory/.provision.new.$$
	(umask 077 && mkdir -- "$work") 2>/dev/null || fail "$directory cannot be written" "$other"
	trap clean_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	{ printf '#!/bin/sh\n' >"$work/probe" && chmod 0700 "$work/probe"; } || fail "$directory cannot be written" "free some space there, then run this again"
	"$work/probe" 2>/dev/null ||
		fail "no program can be run from $directory: is it mounted noexec?" "set PROVISION_INSTALL_DIR to a directory where programs can be run"
}

clean_up() {
	rm -rf -- "$work"
}

# Sets `version` and `from`, the directory in which the binary was brought here.
find_file() {
	name=${PROVISION_OFFLINE_FILE##*/}
	version=${name#provision-}
	version=${version%-"$machine"-linux}
	{ [ "$name" = "provision-$version-$machine-linux" ] && is_version "$version"; } ||
		fail "$PROVISION_OFFLINE_FILE is not named as a binary for a machine of the kind $machine" \
			"name it as the release does: provision-VERSION-$machine-linux"
	from=$(CDPATH='' cd -- "$(dirname -- "$PROVISION_OFFLINE_FILE")" 2>/dev/null && pwd -P) ||
		fail "$PROVISION_OFFLINE_FILE is not there" "bring it here, with SHA256SUMS and SHA256SUMS.minisig beside it"
}

# Sets `base`, `patience` and `retries`.
find_downloader() {
	base=${PROVISION_BASE_URL:-$release_url}
	base=${base%/}
	case $base in
	https://?*) ;;
	'') fail "this copy of bootstrap.sh belongs to no release" "set PROVISION_BASE_URL to where releases are, or build from the checkout: packaging/from-source.sh" ;;
	*) fail "\`$base\` is no https:// address" "set PROVISION_BASE_URL to one" ;;
	esac
	patience=${PROVISION_TIMEOUT:-300} retries=${PROVISION_RETRIES:-3}
	case $patience$retries in *[!0-9]*) fail "PROVISION_TIMEOUT or PROVISION_RETRIES is no number" "set it to one, or not at all" ;; esac
	has curl || has_wget || fail "there is neither \`curl\` nor GNU \`wget\` to download with" \
		"install curl, or bring the binary here and set PROVISION_OFFLINE_FILE to it"
	# wget knows the small one alone.
	if [ -n "${HTTPS_PROXY-}" ] && [ -z "${https_proxy-}" ]; then export https_proxy="$HTTPS_PROXY"; fi
}

# That of busybox looks at no certificate.
has_wget() {
	has wget || return 1
	case $(wget --version 2>/dev/null) in 'GNU Wget'*) return 0 ;; esac
	return 1
}

# Sets `version`. Which is the latest is not signed: it may not lead back to an older one.
choose_version() {
	version=${PROVISION_VERSION:-$release_version}
	if [ -z "$version" ] || [ "$version" = latest ]; then
		get latest
		version=''
		read -r version <"$work/latest" || true
		is_version "$version" || fail "$base/latest names no version" "see whether PROVISION_BASE_URL is right, or set PROVISION_VERSION"
	fi
	is_version "$version" || fail "\`$version\` is no version" "set PROVISION_VERSION to one such as 0.1.0"
	installed=$("$target" --version 2>/dev/null </dev/null) || installed=''
	installed=${installed#provision }
	if [ "${PROVISION_VERSION:-latest}" = latest ] && is_version "$installed" && is_older "$version" "$installed"; then
		fail "provision $installed is installed, and this would be the older $version" "to have that all the same, set PROVISION_VERSION=$version"
	fi
}

# Returns whether $1 is three numbers.
is_version() {
	[ "${#1}" -le 20 ] || return 1
	case $1 in
	*[!0-9.]* | .* | *. | *..* | *.*.*.*) return 1 ;;
	*.*.*) return 0 ;;
	esac
	return 1
}

# Returns whether version $1 comes before $2.
is_older() {
	left=$1. right=$2.
	while [ -n "$left" ]; do
		[ "${left%%.*}" -ge "${right%%.*}" ] || return 0
		[ "${left%%.*}" -le "${right%%.*}" ] || return 1
		left=${left#*.} right=${right#*.}
	done
	return 1
}

# Puts file $1 of the release into `work`.
get() {
	if [ -n "${PROVISION_OFFLINE_FILE-}" ]; then
		cp -- "$from/$1" "$work/$1" 2>"$work/said" && return 0
		told
		fail "$from/$1 cannot be read" "bring it here: the binary, SHA256SUMS and SHA256SUMS.minisig belong beside each other"
	fi
	case $1 in latest) url=$base/latest ;; *) url=$base/$version/$1 ;; esac
	download "$url" "$work/$1" 2>"$work/said" && return 0
	told
	fail "downloading $url failed" "see whether it can be reached from here (HTTPS_PROXY is followed) and whether there is such a version, then run this again"
}

# A redirect leads to HTTPS with curl alone: what comes is believed for its signature, not for the way it came.
download() {
	if has curl; then
		curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry "$retries" --retry-connrefused \
			--connect-timeout 15 --speed-limit 1 --speed-time 30 --max-time "$patience" --retry-max-time "$patience" \
			--output "$2" "$1"
	elif has timeout; then
		code=0
		by_wget timeout "$patience" wget --timeout=30 -O "$2" "$1" || code=$?
		[ $code != 124 ] || echo "it had not all come after $patience seconds" >&2
		return $code
	else
		by_wget wget --timeout="$patience" -O "$2" "$1"
	fi
}

by_wget() {
	"$@" --secure-protocol=TLSv1_2 --no-verbose --tries=$((retries + 1)) --waitretry=2 \
		--retry-on-http-error=429,500,502,503,504 --retry-connrefused
}

# Says what the last program said.
told() {
	while read -r line || [ -n "$line" ]; do say "  $line"; done <"$work/said"
}

# Prints the SHA-256 of file $1.
sha256() {
	if has sha256sum; then
		sum=$(sha256sum <"$1")
	elif has openssl; then
		sum=$(openssl dgst -sha256 -r <"$1")
	else
		sum=$(shasum -a 256 <"$1")
	fi
	printf '%s\n' "${sum%% *}"
}

# Sets `expected`, the SHA-256 that the binary must have: by the signed list, and by this script if it is of that release.
find_sum() {
	[ "$version" = "$release_version" ] || pinned=''
	expected=$pinned
	verifier=$(find_verifier)
	if [ -z "$verifier" ]; then
		[ -n "$pinned" ] || fail "there is no program here that can check who signed provision $version" \
			"install openssl (3 or later) or minisign, or use the bootstrap.sh of just that release"
		return 0
	fi
	get SHA256SUMS
	get SHA256SUMS.minisig
	"verified_by_$verifier" "$work/SHA256SUMS" >"$work/said" 2>&1 || {
		told
		fail "SHA256SUMS of provision $version is not signed with the release key ($verifier looked)" \
			"do not use what is there: somebody may have changed it; try another mirror"
	}
	expected=$(sum_in_list)
	case ${#expected}$expected in
	64*[!0-9a-f]*) expected='' ;;
	64*) ;;
	*) expected='' ;;
	esac
	[ -n "$expected" ] || fail "SHA256SUMS has no $binary" "see whether provision $version was released for a machine of the kind $machine"
	[ "${pinned:-$expected}" = "$expected" ] || fail "SHA256SUMS has another sum of $binary than this script" \
		"do not use what is there: download bootstrap.sh again, from where provision is released"
}

sum_in_list() {
	while read -r sum name; do
		[ "${name#\*}" != "$binary" ] || printf '%s\n' "$sum"
	done <"$work/SHA256SUMS"
}

# Prints what can check a signature here, nothing where nothing can.
find_verifier() {
	if has minisign; then
		echo minisign
	elif has openssl && is_openssl_3; then
		echo openssl
	elif "$target" self verify --help >/dev/null 2>&1 </dev/null; then
		echo predecessor
	fi
}

is_openssl_3() {
	case $(openssl version) in 'OpenSSL '[3-9].*) return 0 ;; esac
	return 1
}

verified_by_minisign() {
	minisign -V -P "$release_key" -m "$1" -x "$1.minisig"
}

# The version that is installed already. It has to say so: another program of that name may succeed with whatever it is given.
verified_by_predecessor() {
	said=$("$target" self verify --key "$release_key" "$1" </dev/null) || return 1
	case $said in "$1 is signed: "*) return 0 ;; esac
	return 1
}

# Ed25519 over the BLAKE2b-512 of the file; see https://jedisct1.github.io/minisign/ for the form of both files. The key is
# wrapped in the twelve bytes that make it DER (RFC 8410).
verified_by_openssl() {
	{
		read -r _
		read -r signature
	} <"$1.minisig"
	case $signature in RU[QRST]*) ;; *) return 1 ;; esac
	printf '%s' "$signature" | openssl base64 -d -A | tail -c 64 >"$work/signature"
	{
		printf '\060\052\060\005\006\003\053\145\160\003\041\000'
		printf '%s' "$release_key" | openssl base64 -d -A | tail -c 32
	} >"$work/key"
	openssl dgst -blake2b512 -binary -out "$work/digest" "$1" &&
		openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/digest" -sigfile "$work/signature"
}

# Asks the person at the terminal, if there is one: stdin may be this script.
ask() {
	is_somebody_there || return 0
	printf 'bootstrap: install provision %s as %s? [Y/n] ' "$version" "$target" >/dev/tty
	read -r answer </dev/tty || answer=n
	case $answer in
	'' | [Yy] | [Yy][Ee][Ss]) ;;
	*) fail "nothing was installed" "to install it, run this again" ;;
	esac
}

is_somebody_there() {
	[ -z "${PROVISION_NO_PROMPT-}" ] && (: <>/dev/tty) 2>/dev/null
}

install_binary() {
	get "$binary"
	[ "$(sha256 "$work/$binary")" = "$expected" ] || fail "what came as $binary is not what was released: its SHA-256 differs" \
		"run this again; if it stays so, try another mirror"
	chmod 0755 "$work/$binary"
	says=$("$work/$binary" --version 2>&1 </dev/null) || fail "$binary does not run here: $says" "see whether this machine is of the kind $machine"
	[ "$says" = "provision $version" ] || fail "$binary says that it is \`$says\`" "try another version"
	sync -- "$work/$binary" 2>/dev/null || sync
	mv -f -- "$work/$binary" "$target" || fail "$target cannot be replaced" "see above"
	say "installed provision $version as $target"
}

# What provision asks it asks on stdin; where that is this script it gets the terminal instead.
run() {
	case $- in
	*s*)
		if is_somebody_there; then exec "$target" "$@" </dev/tty; fi
		exec "$target" "$@" </dev/null
		;;
	esac
	exec "$target" "$@"
}

{ main "$@"; }
