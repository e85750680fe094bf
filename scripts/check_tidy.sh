#!/usr/bin/env bash
# Runs clang-tidy over the sources of the debug build and prints every finding, the last thing it
# prints. Arguments are files; default: all of ours.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake --preset cpu-debug >/dev/null
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(git ls-files 'support/*.cpp' 'kernels/cpu/*.cpp' 'engine/*.cpp' 'grammar/*.cpp' 'lsp/*.cpp' 'daemon/*.cpp' 'cli/*.cpp')

findings=$(mktemp)
trap 'rm -f "$findings"' EXIT
# Standard error only says which file is looked at and how many warnings of the system's headers
# were left out; it is shown where it holds more than that.
failed=0
printf '%s\n' "${files[@]}" |
  xargs -P "$(nproc)" -n 1 clang-tidy-19 -p build/cpu-debug --quiet \
    >"$findings" 2> >(grep -v ' warnings\? generated\.$' >&2) || failed=1
cat "$findings"
if [ "$failed" -ne 0 ]; then
  echo "tidy: findings in $(grep -c ' error: ' "$findings" || true) places" >&2
  exit 1
fi
echo "tidy ok: ${#files[@]} files"
