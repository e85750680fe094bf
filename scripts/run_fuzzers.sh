#!/usr/bin/env bash
# Runs every fuzzer of a build for some seconds of the clock, from its seed corpus in
# tests/fuzz/corpus, two at once for each processor.
#   scripts/run_fuzzers.sh BUILD_DIR SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."

export build=$1 seconds=$2
work=$(mktemp -d)
export work
trap 'rm -rf "$work"' EXIT

# -timeout: an input that takes 10 s is a bug as well. A finding is left in the build folder.
run_one() {
  name=$(basename "$1")
  mkdir -p "$work/$name"
  if "$1" "$work/$name" "tests/fuzz/corpus/${name%_fuzz}" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -artifact_prefix="$build/$name-" -print_final_stats=1 >"$work/$name.log" 2>&1; then
    inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log")
    echo "$name: $seconds s, $inputs inputs, nothing found"
  else
    printf '%s\n' "$name: FAILED" "$(tail -n 60 "$work/$name.log")"
    return 1
  fi
}
export -f run_one

fuzzers=()
for fuzzer in "$build"/tests/fuzz/*_fuzz; do
  [ -x "$fuzzer" ] && fuzzers+=("$fuzzer")
done
[ ${#fuzzers[@]} -gt 0 ] || { echo "$0: no fuzzers in $build" >&2; exit 1; }
printf '%s\0' "${fuzzers[@]}" | xargs -0 -n 1 -P "$((2 * $(nproc)))" bash -c 'run_one "$1"' run_one
