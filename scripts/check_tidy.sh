#!/usr/bin/env bash
# Runs clang-tidy over the sources of the debug build. Arguments are files; default: all of ours.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake --preset cpu-debug >/dev/null
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(git ls-files 'support/*.cpp' 'kernels/cpu/*.cpp' 'engine/*.cpp' 'cli/*.cpp')
printf '%s\n' "${files[@]}" |
  xargs -P "$(nproc)" -n 4 clang-tidy-19 -p build/cpu-debug --quiet
echo "tidy ok"
