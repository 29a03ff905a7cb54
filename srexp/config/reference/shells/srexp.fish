# Completion of srexp in fish.
function __srexp
    set -l program (commandline --tokenize --cut-at-cursor)[1]
    COMP_LINE=(commandline --current-process --cut-at-cursor | string collect) $program --shell-completion query=fish 2>/dev/null
end
complete --command srexp --arguments '(__srexp)'
