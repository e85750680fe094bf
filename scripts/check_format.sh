#!/usr/bin/env bash
# Fails when a C++ or CUDA file is not as clang-format leaves it; `--fix` rewrites it.
# Version 19, because versions differ and Debian 12, Debian 13 and Ubuntu 24.04 all have it.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=(--dry-run --Werror)
[ "${1:-}" = --fix ] && mode=(-i)
git ls-files --cached --others --exclude-standard '*.h' '*.cpp' '*.cu' '*.cuh' | grep -v '^examples/' |
  xargs clang-format-19 "${mode[@]}"
echo "format ok"
