#!/usr/bin/env bash
# Installs what is needed, builds Lacuna, and fills the holes of an example while you watch.
#   scripts/demo.sh [FILE]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh
cmake --preset cpu-release -DLACUNA_TESTS=OFF -DLACUNA_BENCH=OFF >/dev/null
cmake --build --preset cpu-release --target lacuna
exec build/cpu-release/lacuna fill "${1:-examples/inventory.py}" --watch
