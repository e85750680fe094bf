#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: runs the tests that need one, then measures kernels and passes.
#   scripts/gpu_check.sh [BUILD]   BUILD: a finished build folder; default: builds cuda-release
# Leaves what it measured in gpu_check.json, beside a table on the terminal.
# Environment: LACUNA_CUDA_ARCHITECTURES, like 90-real, builds for that one only;
# LACUNA_GPU_SANITIZE=0 leaves out compute-sanitizer, which takes most of the time.
set -uo pipefail
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
  cmake --preset cuda-release "${arguments[@]}" >/dev/null &&
    cmake --build --preset cuda-release --target kernels_cuda_test engine_cuda_test cuda_bench lacuna ||
    exit 1
fi

# Kernels first, then the engine, then the executable: what fails first says most.
failed=()
step() {
  echo "== $*"
  "$@" || failed+=("$*")
}
step nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
step "$build/tests/kernels/kernels_cuda_test" --gtest_brief=1
step "$build/tests/engine/engine_cuda_test" --gtest_brief=1
step "$build/lacuna" doctor --device cuda
step env LACUNA_EXECUTABLE="$build/lacuna" python3 -B tests/cli/test_device.py

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
bench() {
  name=$1
  shift
  echo "== $*"
  "$@" >"$results/$name.json" || failed+=("$*")
}
bench kernels "$build/bench/cuda_bench" --json
# f32 weights of 7.6 billion take 30 GB: the exact passes are measured on the small shape.
bench dream-7b "$build/lacuna" bench --random dream-7b --device cuda --dtype bf16,int8 \
  --tokens 512,2048 --runs 10 --json
bench qwen2-0.5b "$build/lacuna" bench --random qwen2-0.5b --device cuda --dtype f32,bf16,int8 \
  --tokens 512 --runs 10 --json
bench embedded "$build/lacuna" bench --device cuda --dtype f32,bf16 --tokens 256 --json

if [ "${LACUNA_GPU_SANITIZE:-1}" != 0 ] && command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck; do
    for test in kernels/kernels_cuda_test engine/engine_cuda_test; do
      step compute-sanitizer --tool "$tool" --error-exitcode 3 "$build/tests/$test" --gtest_brief=1
    done
  done
fi

python3 - "$results" "${failed[@]+"${failed[@]}"}" <<'PYTHON'
import json, pathlib, subprocess, sys

folder, failed = pathlib.Path(sys.argv[1]), sys.argv[2:]
gpu = subprocess.run(
    ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
    capture_output=True, text=True).stdout.strip()


def read(name, lines=False):
    text = (folder / f"{name}.json").read_text()
    try:
        return [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)
    except json.JSONDecodeError:
        return [] if lines else None


result = {"gpu": gpu, "failed": failed, "kernels": read("kernels", lines=True)}
result["passes"] = {name: read(name) for name in ("dream-7b", "qwen2-0.5b", "embedded")}
pathlib.Path("gpu_check.json").write_text(json.dumps(result, indent=1) + "\n")

print(f"\n{gpu}")
if result["kernels"]:
    ceiling = result["kernels"][0]["gb_per_s"]  # the copy
    print(f"{'kernel':56} {'us':>10} {'GB/s':>8} {'of copy':>8} {'TFLOP/s':>8}")
    for row in result["kernels"]:
        share = f"{row['gb_per_s'] / ceiling:.0%}"
        print(f"{row['kernel']:56} {row['us']:10.2f} {row['gb_per_s']:8.0f} {share:>8} {row['tflop_per_s']:8.1f}")
print(f"\n{'pass':56} {'best ms':>10} {'median':>8} {'host ms':>8} {'GFLOP/s':>10}")
for name, bench in result["passes"].items():
    for entry in bench["dtypes"] if bench else []:
        for it in entry["passes"]:
            label = f"{name} {entry['dtype']}, {it['rows']} rows of {it['tokens']}"
            label += "" if it.get("graphs", True) else ", no graph"
            print(f"{label:56} {it['best_ms']:10.2f} {it['median_ms']:8.2f} {it['host_ms']:8.3f} {it['gflops']:10.0f}")
        load = entry["load"]
        label = f"{name} {entry['dtype']}, load at {load['megabytes_per_second'] / 1e3:.1f} GB/s"
        print(f"{label:56} {load['best_ms']:10.2f}")
for step in failed:
    print(f"FAILED: {step}")
PYTHON
[ ${#failed[@]} -eq 0 ]
