#!/usr/bin/env bash
# Soaks the daemon: editors that type, fill, cancel and are killed, then checks that nothing is left of
# them. Prints figures.
#   scripts/soak.sh [MINUTES]   default: 10
set -euo pipefail
cd "$(dirname "$0")/.."
program=build/cpu-release/lacuna
if [ ! -x "$program" ]; then
  echo "$0: there is no $program; build it with: cmake --build --preset cpu-release --target lacuna" >&2
  exit 1
fi
exec python3 -B tests/daemon/soak.py "$PWD/$program" "${1:-10}"
