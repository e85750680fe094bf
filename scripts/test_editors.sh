#!/usr/bin/env bash
# Tests the plugins. What cannot be fetched here is skipped, with a line that says so.
#   scripts/test_editors.sh          lint, unit tests, and Neovim of two Debian suites (a minute on an idle machine)
#   scripts/test_editors.sh --slow   and a real VS Code in a headless browser (minutes, 800 MB fetched once)
# With a scripted server, and with the real one where there is one: LACUNA_PROGRAM, else that of build/cpu-release.
set -euo pipefail
cd "$(dirname "$0")/.."
editors=$PWD/build/editors
mkdir -p "$editors"

if command -v luacheck >/dev/null; then
  (cd editor-plugins/neovim && luacheck --quiet --no-color .)
else
  echo "skipped: luacheck is not installed (Debian's lua-check)"
fi

LACUNA_PROGRAM=$(realpath -m "${LACUNA_PROGRAM:-build/cpu-release/lacuna}")
export LACUNA_PROGRAM
if [ ! -x "$LACUNA_PROGRAM" ]; then
  echo "skipped: the plugins with the real server: there is no $LACUNA_PROGRAM"
  unset LACUNA_PROGRAM
fi

# The newest Neovim, with inline completion of its own, and one before vim.lsp.config; side by side.
test_neovim() {
  local suite=$1 log=$editors/neovim-$1.log neovim
  if ! neovim=$(scripts/get_neovim.sh "$suite" "$editors/neovim-$suite" 2>"$log"); then
    echo "skipped: Neovim of Debian $suite cannot be fetched: $(tail -1 "$log")"
    return
  fi
  if ! timeout 1500 "$neovim" --clean -l editor-plugins/neovim/tests/run.lua >"$log" 2>&1; then
    cat "$log"
    return 1
  fi
  grep SKIP "$log" | grep -v 'LACUNA_PROGRAM is not set' || true
  tail -1 "$log"
}
test_neovim forky & forky=$!
test_neovim trixie & trixie=$!
wait "$forky"
wait "$trixie"

if [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -lt 20 ]; then
  echo "skipped: the tests of the VS Code extension need Node 20; this is $(node --version)"
  exit
fi
cd editor-plugins/vscode
npm ci --silent
npm run --silent typecheck
npm run --silent lint
npm --silent test >"$editors/vscode.log" 2>&1 || {
  cat "$editors/vscode.log"
  exit 1
}
npm run --silent build
grep -E '^# (pass|fail)' "$editors/vscode.log"

if [ "${1:-}" = --slow ]; then
  if ! command -v chromium >/dev/null; then
    echo "skipped: VS Code itself needs chromium (Debian's chromium and fonts-dejavu-core)"
  elif ! ../../scripts/get_vscode.sh "$editors/vscode" >"$editors/vscode.log" 2>&1; then
    echo "skipped: VS Code cannot be fetched: $(tail -1 "$editors/vscode.log")"
  else
    npm run --silent package >/dev/null
    npm run --silent e2e -- "$editors/vscode"
    if [ -n "${LACUNA_PROGRAM:-}" ]; then
      npm run --silent e2e:daemon -- "$editors/vscode" "$LACUNA_PROGRAM"
    fi
  fi
fi
