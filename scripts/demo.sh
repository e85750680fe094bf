#!/usr/bin/env bash
# Installs what is needed, builds Lacuna, and fills the holes of an example while you watch.
#   scripts/demo.sh [FILE]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh
[ grammar/node_modules/.package-lock.json -nt grammar/package-lock.json ] || npm ci --prefix grammar --silent
cmake --preset cpu-release -DLACUNA_TESTS=OFF -DLACUNA_BENCH=OFF >/dev/null
cmake --build --preset cpu-release --target lacuna
exec build/cpu-release/lacuna fill "${1:-examples/inventory.py}" --watch
