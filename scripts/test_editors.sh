#!/usr/bin/env bash
# Tests the plugins in real editors: Neovim of two Debian suites. What cannot be fetched is skipped, with a line.
#   scripts/test_editors.sh
set -euo pipefail
cd "$(dirname "$0")/.."
editors=$PWD/build/editors
mkdir -p "$editors"

if command -v luacheck >/dev/null; then
  (cd editor-plugins/neovim && luacheck --quiet --no-color .)
else
  echo "skipped: luacheck is not installed (Debian's lua-check)"
fi

# The newest Neovim, with inline completion of its own, and one before vim.lsp.config.
for suite in forky trixie; do
  log=$editors/neovim-$suite.log
  if ! neovim=$(scripts/get_neovim.sh "$suite" "$editors/neovim-$suite" 2>"$log"); then
    echo "skipped: Neovim of Debian $suite cannot be fetched: $(tail -1 "$log")"
    continue
  fi
  timeout 600 "$neovim" --clean -l editor-plugins/neovim/tests/run.lua >"$log" || {
    cat "$log"
    exit 1
  }
  grep SKIP "$log" || true
  tail -1 "$log"
done
