#!/usr/bin/env bash
# Draws the pictures of docs/neovim.md: a real Neovim in a terminal, the real server, the model that ships with Lacuna.
#   scripts/draw_neovim.sh LACUNA NVIM FOLDER     writes FOLDER/neovim-suggestion.svg and FOLDER/neovim-fill.svg
set -euo pipefail
lacuna=$(realpath "$1")
nvim=$(realpath "$2")
out=$(realpath "$3")
root=$(realpath "$(dirname "$0")/..")
work=$(mktemp -d)
trap 'tmux -S "$work/tmux" kill-server 2>/dev/null; rm -rf "$work"' EXIT

cat >"$work/init.lua" <<LUA
vim.opt.runtimepath:prepend('$root/editor-plugins/neovim')
vim.cmd('runtime plugin/lacuna.lua')
vim.o.termguicolors, vim.o.ruler, vim.o.shortmess, vim.g.loaded_python3_provider = true, false, 'aAIFTWcCo', 0
vim.o.statusline = ' %f %=%{v:lua.require("lacuna").status()} '
require('lacuna').setup({
  cmd = { '$lacuna', 'lsp', '--socket', '$work/daemon.sock' },
  settings = { inlineCompletion = { minConfidence = 0 } },
})
vim.api.nvim_create_autocmd('User', { pattern = 'Lacuna*', callback = function(event)
  vim.fn.writefile({ event.match }, '$work/events', 'a')
end })
LUA

start() {
  : >"$work/events"
  tmux -S "$work/tmux" -f /dev/null new-session -d -x 76 -y 14 \
    "env HOME=$work XDG_STATE_HOME=$work COLORTERM=truecolor $nvim -n -u $work/init.lua $1"
  tmux -S "$work/tmux" set -g default-terminal tmux-256color
  tmux -S "$work/tmux" set -ga terminal-overrides ',*:Tc'
}
keys() { tmux -S "$work/tmux" send-keys "$@"; }
screen() { tmux -S "$work/tmux" capture-pane -e -p; }
wait_event() {
  for _ in $(seq 600); do
    if grep -q "$1" "$work/events"; then return; fi
    sleep 0.1
  done
  echo "$0: $1 did not come" >&2
  exit 1
}

printf 'def add(first, second):\n    return first + second\n\ndef sub(first, second):\n' >"$work/sample.py"
start "$work/sample.py"
sleep 2
keys 'Go' '    return '
wait_event LacunaSuggestionShown
sleep 0.5
screen | "$root/scripts/draw_terminal.py" "$out/neovim-suggestion.svg" --columns 76
tmux -S "$work/tmux" kill-server

printf 'def add(first, second):\n    return ⟦?⟧\n\ndef sub(first, second):\n    return ⟦?⟧\n' >"$work/sample.py"
start "$work/sample.py"
sleep 2
keys ':Lacuna fill' Enter
{
  wait_event LacunaFillStep
  screen
  printf '\f'
  wait_event LacunaFillReady
  sleep 0.3
  screen
  printf '\f'
  keys 'gA'
  wait_event LacunaFillDone
  sleep 0.3
  screen
} | "$root/scripts/draw_terminal.py" "$out/neovim-fill.svg" --columns 76
