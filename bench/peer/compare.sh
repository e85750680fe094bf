#!/bin/sh
# Compares a forward pass with llama.cpp: the same shape (Qwen2 0.5B), precision, number of tokens
# and of rows with logits. Needs npm, git, python3, and build/cpu-release/bench/kernels_bench.
#
# usage: bench/peer/compare.sh [THREADS [PASSES]]
#
# Fetches llama.cpp (the prebuilt libraries of npm's @node-llama-cpp, the header of the sources
# that node-llama-cpp carries) into build/peer and writes models of 0.5, 1 and 2 GB there. The runs
# alternate, because on a machine with other work only neighbouring numbers can be compared.
set -eu
threads=${1:-1}
passes=${2:-3}
version=3.22.1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
peer=$root/build/peer
lib=$peer/package/bins/linux-x64
mkdir -p "$peer"
cd "$peer"

if [ ! -d "$lib" ]; then
  npm pack --silent @node-llama-cpp/linux-x64@$version >/dev/null
  tar xzf node-llama-cpp-linux-x64-$version.tgz
fi
if [ ! -d include ]; then
  npm pack --silent node-llama-cpp@$version >/dev/null
  tar xzf node-llama-cpp-$version.tgz package/llama/gitRelease.bundle
  git clone --quiet --no-checkout package/llama/gitRelease.bundle source
  git -C source archive HEAD include ggml/include | tar x
fi
library() { basename "$(ls "$lib"/"$1"* | head -1)"; }
if [ forward -ot "$here/forward.cpp" ] || [ ! -x forward ]; then
  g++ -std=c++20 -O2 -Iinclude -Iggml/include "$here/forward.cpp" -o forward -L"$lib" \
    -l:"$(library libllama.)" -l:"$(library libggml.)" -l:"$(library libggml-base.)" \
    -Wl,-rpath,"$lib"
fi
for type in f32 bf16 q8_0; do
  [ -f model-$type.gguf ] || python3 "$here/make_gguf.py" model-$type.gguf $type
done

bench=$root/build/cpu-release/bench/kernels_bench
for rows in 1 64 512; do
  for type in f32 bf16 q8_0; do
    case $type in
      f32) name="forward f32" ;;
      bf16) name="forward bf16 pairs" ;;
      q8_0) name="forward int8" ;;
    esac
    ./forward "$lib" model-$type.gguf 512 $rows "$threads" "$passes"
    for clock in wall cpu; do
      echo "lacuna, $clock clock: $("$bench" --filter "$name T=512 logits of $rows" \
        --threads "$threads" --seconds 1 --clock $clock | tail -1)"
    done
  done
done
