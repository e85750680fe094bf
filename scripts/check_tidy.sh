#!/usr/bin/env bash
# Runs clang-tidy over the sources of the debug build and prints every finding, the last thing it
# prints.
#   scripts/check_tidy.sh [FILE...]   default: all of ours that have changed since they were clean
#   scripts/check_tidy.sh --all       all of ours
#   scripts/check_tidy.sh --clean     notes that all are clean now: run it after --all
# A file takes 20 s, all of them half an hour. So scripts/tidy_clean.txt keeps the checksums of files
# that had no findings, and of .clang-tidy; a header is looked at with the files that include it.
set -euo pipefail
cd "$(dirname "$0")/.."

known=scripts/tidy_clean.txt
ours() {
  git ls-files 'support/*.cpp' 'kernels/cpu/*.cpp' 'engine/*.cpp' 'grammar/*.cpp' 'lsp/*.cpp' \
    'daemon/*.cpp' 'cli/*.cpp'
}

case "${1:-}" in
  --clean)
    ours | xargs sha256sum .clang-tidy >"$known"
    exit
    ;;
  --all) mapfile -t files < <(ours) ;;
  '')
    if sha256sum .clang-tidy | grep -qxFf - "$known"; then
      mapfile -t files < <(ours | xargs sha256sum | { grep -vxFf "$known" || true; } | cut -d' ' -f3-)
    else
      mapfile -t files < <(ours)
    fi
    ;;
  *) files=("$@") ;;
esac
if [ ${#files[@]} -eq 0 ]; then
  echo "tidy ok: nothing has changed since it was clean"
  exit
fi

cmake --preset cpu-debug >/dev/null
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
