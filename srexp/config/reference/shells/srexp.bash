# Completion of srexp in bash.
_srexp() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$'\n'
    local word="${line##*[[:blank:]]}"
    local typed="${word%"$2"}" found
    found=$(COMP_LINE="$line" "$1" --shell-completion query=bash 2>/dev/null) || return 0
    COMPREPLY=($found)
    # Bash takes a word apart at = and :, and replaces what is behind them.
    COMPREPLY=("${COMPREPLY[@]#"$typed"}")
    case "$found" in *[=.]) compopt -o nospace ;; esac
}
complete -o default -F _srexp srexp
