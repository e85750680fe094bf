#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: runs the tests that need one, then measures the kernels.
#   scripts/gpu_check.sh [BUILD]   BUILD: a finished build folder; default: builds cuda-release
# Leaves what it measured, one JSON object a line, in gpu_check.json beside a table on the terminal.
# Environment: LACUNA_CUDA_ARCHITECTURES, like 90-real, builds for that one only.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L >/dev/null; then
  echo "$0: no NVIDIA GPU is here; 'lacuna doctor' says more" >&2
  exit 1
fi
build=${1:-build/cuda-release}
if [ $# -eq 0 ]; then
  arguments=(-DLACUNA_WERROR=ON)
  [ -z "${LACUNA_CUDA_ARCHITECTURES:-}" ] ||
    arguments+=("-DCMAKE_CUDA_ARCHITECTURES=$LACUNA_CUDA_ARCHITECTURES")
  cmake --preset cuda-release "${arguments[@]}" >/dev/null
  cmake --build --preset cuda-release --target kernels_cuda_test engine_cuda_test cuda_bench
fi

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
failed=0
for test in kernels/kernels_cuda_test engine/engine_cuda_test; do
  "$build/tests/$test" --gtest_brief=1 || failed=1
  if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck; do
      echo "== $test under $tool"
      compute-sanitizer --tool "$tool" --error-exitcode 3 "$build/tests/$test" --gtest_brief=1 ||
        failed=1
    done
  fi
done

"$build/bench/cuda_bench" --json >gpu_check.json
python3 - gpu_check.json <<'PYTHON'
import json, sys

rows = [json.loads(line) for line in open(sys.argv[1])]
ceiling = rows[0]["gb_per_s"]  # the copy
print(f"{'kernel':44} {'us':>10} {'GB/s':>8} {'of copy':>8} {'TFLOP/s':>8}")
for row in rows:
    share = f"{row['gb_per_s'] / ceiling:.0%}"
    print(f"{row['kernel']:44} {row['us']:10.2f} {row['gb_per_s']:8.0f} {share:>8} {row['tflop_per_s']:8.1f}")
PYTHON
exit "$failed"
