// Opening a model directory, without and with reading every weight. The files are in the page
// cache, so this is the cost of the checks and of the page faults, not of the disk.
#include <cstdint>
#include <cstring>
#include <span>

#include <benchmark/benchmark.h>

#include "engine/checkpoint/checkpoint.h"
#include "tests/helpers/temporary_folder.h"
#include "tests/helpers/tiny_model.h"

namespace lacuna::engine {
namespace {

// 23 MiB of bfloat16 weights for each layer.
test::TinyModelOptions options_with(int layers) {
  return {.vocab_size = 8192,
          .hidden_size = 1024,
          .intermediate_size = 2816,
          .layers = layers,
          .heads = 16,
          .kv_heads = 4,
          .type = kernels::DType::BF16,
          .tied = true};
}

// A checksum of 64-bit words. The data may be unaligned, hence memcpy.
std::uint64_t sum_of(std::span<const std::byte> data) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + sizeof sum <= data.size(); i += sizeof sum) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data() + i, sizeof word);
    sum += word;
  }
  return sum;
}

std::uint64_t read_all(const ModelTensors& tensors) {
  std::uint64_t sum = sum_of(tensors.embedding.data);
  for (const LayerTensors& layer : tensors.layers) {
    for (const TensorView* tensor :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      sum += sum_of(tensor->data);
    }
  }
  return sum;
}

void open_checkpoint(benchmark::State& state, bool read) {
  const test::TemporaryFolder folder;
  write_model(folder.path(), make_tiny_model(options_with(static_cast<int>(state.range(0)))));
  std::int64_t bytes = 0;
  for (auto _ : state) {
    const auto checkpoint = Checkpoint::open(folder.path());
    if (!checkpoint) return state.SkipWithError(checkpoint.error().message.c_str());
    if (read) benchmark::DoNotOptimize(read_all(checkpoint->tensors()));
    bytes += 2 * checkpoint->parameter_count();
  }
  if (read) state.SetBytesProcessed(bytes);
}

BENCHMARK_CAPTURE(open_checkpoint, headers_only, false)->ArgName("layers")->Arg(1)->Arg(8);
BENCHMARK_CAPTURE(open_checkpoint, every_weight, true)->ArgName("layers")->Arg(1)->Arg(8);

}  // namespace
}  // namespace lacuna::engine
