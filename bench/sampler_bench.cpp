// Time of draw() for one row of logits, on one core, in microseconds a row. The second argument
// says what the row looks like: 0 flat (an untrained model), 1 peaked (a trained one).
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "engine/sampler/candidate.h"
#include "engine/sampler/row_math.h"

namespace lacuna::engine {
namespace {

std::vector<float> random_row(int n, bool is_peaked) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal(0, is_peaked ? 2.5F : 0.3F);
  std::vector<float> row(static_cast<std::size_t>(n));
  for (float& x : row) x = normal(engine);
  if (is_peaked) {
    // A handful of tokens hold most of the probability, as in text.
    for (int i = 0; i < 12; ++i) {
      row[static_cast<std::size_t>(n / 13 * i + 5)] = 18 - static_cast<float>(i);
    }
  }
  return row;
}

void run(benchmark::State& state, DrawOptions options) {
  const auto row = random_row(static_cast<int>(state.range(0)), state.range(1) != 0);
  DrawScratch scratch;
  double uniform = 0;
  for (auto _ : state) {
    uniform += 0.6180339887;
    if (uniform >= 1) uniform -= 1;
    benchmark::DoNotOptimize(draw(row, 0, options, {}, uniform, scratch));
  }
  state.SetLabel(row_math().name);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(row.size() * 4));
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"V", "peaked"})->Unit(benchmark::kMicrosecond);
  for (const int n : {8192, 152064}) {
    for (const int is_peaked : {0, 1}) benchmark->Args({n, is_peaked});
  }
}

BENCHMARK_CAPTURE(run, greedy_probability, DrawOptions{})->Apply(sizes);
BENCHMARK_CAPTURE(run, greedy_margin, DrawOptions{.confidence = Confidence::Margin})->Apply(sizes);
BENCHMARK_CAPTURE(run, greedy_entropy, DrawOptions{.confidence = Confidence::NegativeEntropy})
    ->Apply(sizes);
BENCHMARK_CAPTURE(run, temperature_entropy,
                  DrawOptions{.temperature = 0.7F, .confidence = Confidence::NegativeEntropy})
    ->Apply(sizes);
BENCHMARK_CAPTURE(run, top_p_95, DrawOptions{.temperature = 0.7F, .top_p = 0.95F})->Apply(sizes);
BENCHMARK_CAPTURE(run, top_k_50, DrawOptions{.temperature = 0.7F, .top_k = 50})->Apply(sizes);

void exponentials(benchmark::State& state) {
  const auto& math = all_row_math()[static_cast<std::size_t>(state.range(0))];
  const auto row = random_row(152064, true);
  std::vector<float> weights(row.size());
  std::vector<double> sums(static_cast<std::size_t>(n_row_blocks(152064)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        math.exponentials(weights.data(), sums.data(), row.data(), 18, 152064));
  }
  state.SetLabel(math.name);
}

void negative_entropy(benchmark::State& state) {
  const auto& math = all_row_math()[static_cast<std::size_t>(state.range(0))];
  const std::vector<float> weights(152064, 1e-3F);
  for (auto _ : state) {
    benchmark::DoNotOptimize(math.negative_entropy(weights.data(), 1.0F / 152, 152064));
  }
  state.SetLabel(math.name);
}

void instruction_sets(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMicrosecond);
  benchmark->DenseRange(0, static_cast<int>(all_row_math().size()) - 1);
}

BENCHMARK(exponentials)->Apply(instruction_sets);
BENCHMARK(negative_entropy)->Apply(instruction_sets);

}  // namespace
}  // namespace lacuna::engine

BENCHMARK_MAIN();
