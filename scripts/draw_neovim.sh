#!/usr/bin/env bash
# Draws the pictures of docs/neovim.md: a real Neovim in a terminal, the real server, the model that ships with Lacuna.
#   scripts/draw_neovim.sh LACUNA NVIM docs/images     writes neovim-suggestion.svg and neovim-fill.svg
# NVIM is Neovim 0.10 or later (scripts/get_neovim.sh). Needs tmux.
set -euo pipefail
lacuna=$(realpath "$1")
nvim=$(realpath "$2")
out=$(realpath "$3")
root=$(realpath "$(dirname "$0")/..")
work=$(mktemp -d)
trap 'tmux -S "$work/tmux" kill-server 2>/dev/null || true; rm -rf "$work"' EXIT

cat >"$work/init.lua" <<LUA
vim.opt.runtimepath:prepend('$root/editor-plugins/neovim')
vim.cmd('runtime plugin/lacuna.lua')
vim.o.termguicolors, vim.o.ruler, vim.o.shortmess, vim.g.loaded_python3_provider = true, false, 'aAIFTWcCo', 0
vim.o.statusline = ' %f %=%{v:lua.require("lacuna").status()} '
require('lacuna').setup({
  cmd = { '$lacuna', 'lsp', '--socket', '$work/daemon.sock' },
  settings = { profile = 'quality', inlineCompletion = { minConfidence = 0 } },
})
vim.cmd.highlight('Normal guibg=NONE')
-- The first step of a fill and one in the middle stand still until they are drawn.
local pictures = { function() return true end, function(step) return step.masks_left <= 4 end }
vim.api.nvim_create_autocmd('User', { pattern = 'Lacuna*', callback = function(event)
  local name = event.match
  if name == 'LacunaFillStep' and pictures[1] and pictures[1](event.data) then
    table.remove(pictures, 1)
    name = 'Picture' .. #pictures
    vim.cmd.redraw()
  end
  vim.fn.writefile({ name }, '$work/events', 'a')
  while vim.startswith(name, 'Picture') and not vim.uv.fs_stat('$work/' .. name) do
    vim.uv.sleep(50)
  end
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
# All ends: the daemon, and the editor, which would outlive its terminal.
leave() {
  keys Escape
  sleep 0.5 # an Escape that other keys follow at once would be Alt with the first of them
  keys ':Lacuna shutdown' Enter
  for _ in $(seq 100); do
    pgrep -f "$work/daemon.sock" >/dev/null || break
    sleep 0.1
  done
  keys ':qa!' Enter
  while tmux -S "$work/tmux" has-session 2>/dev/null; do sleep 0.1; done
}
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
keys 'Go' 'return '
wait_event LacunaSuggestionShown
sleep 0.5
screen | "$root/scripts/draw_terminal.py" "$out/neovim-suggestion.svg" --columns 76
leave

cat >"$work/sample.py" <<'PYTHON'
class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(⟦?1⟧)

    def size(self):
        return len(⟦?3⟧)

    def is_empty(self):
        return len(⟦?3⟧) == 0
PYTHON
start "$work/sample.py"
sleep 2
keys ':Lacuna fill' Enter
{
  for picture in Picture1 Picture0; do
    wait_event "$picture"
    sleep 0.5
    screen
    printf '\f'
    touch "$work/$picture"
  done
  wait_event LacunaFillReady
  sleep 0.3
  screen
  printf '\f'
  keys 'gA'
  wait_event LacunaFillDone
  sleep 0.3
  screen
} | "$root/scripts/draw_terminal.py" "$out/neovim-fill.svg" --columns 76
leave
