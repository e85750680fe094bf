#!/usr/bin/env bash
# Runs every fuzzer of a build for some seconds each, from its seed corpus in tests/fuzz/corpus.
#   scripts/run_fuzzers.sh BUILD_DIR SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
found=0
for fuzzer in "$1"/tests/fuzz/*_fuzz; do
  [ -x "$fuzzer" ] || continue
  name=$(basename "$fuzzer")
  mkdir -p "$work/$name"
  # -timeout: an input that takes 10 s is a bug as well. A finding is left in the build folder.
  if ! "$fuzzer" "$work/$name" "tests/fuzz/corpus/${name%_fuzz}" -max_total_time="$2" -timeout=10 \
    -rss_limit_mb=2048 -artifact_prefix="$1/" -print_final_stats=1 >"$work/log" 2>&1; then
    tail -n 60 "$work/log"
    exit 1
  fi
  echo "$name: $2 s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") inputs, nothing found"
  found=$((found + 1))
done
[ "$found" -gt 0 ] || { echo "$0: no fuzzers in $1" >&2; exit 1; }
