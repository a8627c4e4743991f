# Fish completion for provision, for /usr/share/fish/vendor_completions.d. What may stand at the cursor is asked of
# provision itself.
function __provision_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct | string replace -ra '["\'\\\\]' '')
    set -l said ($words[1] complete -- $words[2..-1] $typed 2>/dev/null)
    test (count $said) -gt 1; and printf '%s\n' $said[2..-1]
    switch "$said[1]"
        case files
            __fish_complete_path $typed
        case directories
            __fish_complete_directories $typed
        case recipes
            __fish_complete_suffix $typed .toml
    end
end
complete -c provision -f -a '(__provision_complete)'
