# Bash completion for provision, for /usr/share/bash-completion/completions/provision. What may stand at the cursor is
# asked of provision itself.
# shellcheck shell=bash

_provision() {
	local rest=${COMP_LINE:0:COMP_POINT} words=() said=() values=() i word begun line
	COMPREPLY=()
	# Bash splits at `:` and `=` as well: what has no blank before it belongs to the word before.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		begun=${rest#"${rest%%[![:space:]]*}"}
		if [[ $i = "$COMP_CWORD" ]]; then word=$begun; fi
		if [[ $i -gt 1 && $begun = "$rest" ]]; then words[-1]+=$word; else words+=("$word"); fi
		rest=${begun#"$word"}
	done
	# As the shell would read them, without what quotes.
	words=("${words[@]//[\"\'\\]/}")
	mapfile -t said < <("${words[0]/#\~\//$HOME/}" complete -- "${words[@]:1}" 2>/dev/null)
	for line in "${said[@]:1}"; do
		values+=("${line%%$'\t'*}")
	done
	# What stands before the last `:` or `=` stays as it is.
	local typed=${2//[\"\'\\]/} before
	before=${words[-1]%"$typed"}
	if [[ ${#values[@]} = 1 && ${values[0]} = *= ]]; then compopt -o nospace; fi
	case ${said[0]-} in
	files) mapfile -t said < <(compgen -f -- "$typed") ;;
	directories) mapfile -t said < <(compgen -d -- "$typed") ;;
	recipes) mapfile -t said < <(
		compgen -f -X '!*.toml' -- "$typed"
		compgen -d -- "$typed"
	) ;;
	*) said=() ;;
	esac
	if [[ ${#said[@]} -gt 0 ]]; then compopt -o filenames; fi
	for line in "${values[@]}"; do
		line=${line#"$before"}
		# Unless it stands in quotes, or bash quotes file names itself.
		if [[ ${#said[@]} = 0 && ${COMP_WORDS[COMP_CWORD]} != [\"\']* ]]; then printf -v line %q "$line"; fi
		COMPREPLY+=("$line")
	done
	COMPREPLY+=("${said[@]}")
}
complete -F _provision provision
