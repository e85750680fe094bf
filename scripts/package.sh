#!/usr/bin/env bash
# Builds a Debian package of Lacuna: the program with its model, the Neovim plugin, and where npm
# can fetch what packs it, the VS Code extension. Made for the system that it is built on.
#   scripts/package.sh [FOLDER]   default: build/package
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-build/package}")

scripts/install_dependencies.sh
[ grammar/node_modules/.package-lock.json -nt grammar/package-lock.json ] || npm ci --prefix grammar --silent
cmake --preset cpu-release -DLACUNA_TESTS=OFF -DLACUNA_BENCH=OFF >/dev/null
cmake --build --preset cpu-release --target lacuna
rm -f editor-plugins/vscode/dist/lacuna.vsix
if ! (cd editor-plugins/vscode && npm ci --silent && npm run --silent package >/dev/null); then
  echo "$0: the VS Code extension could not be packed and is left out" >&2
fi
cpack --config build/cpu-release/CPackConfig.cmake -B "$out"
rm -rf "$out/_CPack_Packages"
ls "$out"/*.deb
