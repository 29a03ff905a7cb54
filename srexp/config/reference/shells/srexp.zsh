# Completion of srexp in zsh.
_srexp() {
    local -a found whole
    local line="${(j: :)words[1,CURRENT-1]} $PREFIX"
    found=(${(f)"$(COMP_LINE=$line ${(Q)~words[1]} --shell-completion query=zsh 2>/dev/null)"})
    whole=(${found:#*[=.]})
    (( $#whole )) && compadd -Q -- $whole
    found=(${(M)found:#*[=.]})
    (( $#found )) && compadd -Q -S '' -- $found
    (( $#whole + $#found )) && return
    [[ $PREFIX == *=* ]] && compset -P '*='
    _files
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _srexp srexp
