#!/usr/bin/env bash
# Draws the pictures of README.md and docs/neovim.md: a real Neovim in a terminal, the real server, the model that ships
# with Lacuna.
#   scripts/draw_neovim.sh LACUNA NVIM docs/images     writes fill.svg, neovim-suggestion.svg and neovim-fill.svg
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
-- The steps of a fill that stand still until they are drawn: the first and one in the middle, or all.
local pictures = { function() return true end, function(step) return step.masks_left <= 4 end }
local all, steps = vim.env.ALL_STEPS ~= nil, 0
vim.api.nvim_create_autocmd('User', { pattern = 'Lacuna*', callback = function(event)
  local name = event.match
  if name == 'LacunaFillStep' and all then
    name = 'Picture' .. steps
    steps = steps + 1
    vim.cmd.redraw()
  elseif name == 'LacunaFillStep' and pictures[1] and pictures[1](event.data) then
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

columns=76 rows=14
start() {
  : >"$work/events"
  tmux -S "$work/tmux" -f /dev/null new-session -d -x "$columns" -y "$rows" \
    "env ${2:-} HOME=$work XDG_STATE_HOME=$work COLORTERM=truecolor $nvim -n -u $work/init.lua $1"
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

cat >"$work/queue.ts" <<'TYPESCRIPT'
export class Queue<T> {
  private items: T[] = [];

  push(item: T): void {
    this.items.push(⟦?1⟧);
  }

  pop(): T | undefined {
    return this.⟦?1⟧.shift();
  }

  get size(): number {
    return this.⟦?3⟧;
  }

  isEmpty(): boolean {
    return this.⟦?3⟧ === 0;
  }
}
TYPESCRIPT
columns=64 rows=21
start "$work/queue.ts" ALL_STEPS=1
sleep 2
# What is to stand longer comes several times.
{
  held() { for _ in $(seq "$1"); do printf '%s\f' "$2"; done; }
  keys ':Lacuna fill'
  sleep 0.5
  held 3 "$(screen)"
  keys Enter
  for step in $(seq 0 100); do
    wait_event "Picture$step\$\|LacunaFillReady"
    if grep -q LacunaFillReady "$work/events"; then break; fi
    sleep 0.3
    held 1 "$(screen)"
    touch "$work/Picture$step"
  done
  sleep 0.3
  held 4 "$(screen)"
  keys 'gA'
  wait_event LacunaFillDone
  sleep 0.3
  held 4 "$(screen)"
} | "$root/scripts/draw_terminal.py" "$out/fill.svg" --columns 64 --seconds 0.6
leave
