#include "cli/bench_measure.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "engine/infill.h"

namespace lacuna::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLogitRows = 16;
constexpr std::size_t kTokenizerBytes = 256 << 10;

constexpr std::string_view kSample =
    "def mean(values):\n"
    "    \"\"\"The arithmetic mean of a sequence of numbers.\"\"\"\n"
    "    if \u27E6?16\u27E7:\n"
    "        raise ValueError(\"no values\")\n"
    "    return \u27E6?16\u27E7\n";

std::vector<std::int32_t> iota(int first, int count) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), first);
  return values;
}

// Lines of code whose names and numbers change: a tokenizer may cache words.
std::string source_text() {
  std::string text;
  for (unsigned i = 0; text.size() < kTokenizerBytes; ++i) {
    const std::string number = std::to_string(i);
    const std::string name = "value_" + std::to_string(i * 7919U % 100003U);
    text.append("    if (").append(name).append(" < limits[item").append(number);
    text.append("]) { return compute(item").append(number).append(", ").append(name);
    text.append(" * ").append(number).append("); }\n");
    text.append("    # the entry of ").append(name).append(" is kept until \u00FCpdate() saw it\n");
  }
  return text;
}

}  // namespace

Timing timing_of(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const std::size_t middle = seconds.size() / 2;
  const bool odd = seconds.size() % 2 == 1;
  return {.best = seconds.front(),
          .median = odd ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2};
}

Timing time_runs(int runs, const std::function<void()>& body) {
  body();  // fills caches and touches memory
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    const Clock::time_point start = Clock::now();
    body();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  return timing_of(std::move(seconds));
}

PassTiming time_pass(const engine::Transformer& transformer, kernels::CpuContext& context,
                     kernels::Precision precision, int tokens, int rows, int runs) {
  const engine::ModelConfig& config = transformer.config();
  std::vector<std::int32_t> canvas(static_cast<std::size_t>(tokens));
  for (int i = 0; i < tokens; ++i) {
    canvas[static_cast<std::size_t>(i)] =
        static_cast<std::int32_t>((i * 7919LL) % config.vocab_size);
  }
  const int first = (tokens - rows) / 2;
  const std::vector<std::int32_t> computed = iota(first, rows);
  const std::vector<std::int32_t> wanted = iota(first, std::min(rows, kLogitRows));
  std::vector<float> logits(wanted.size() * static_cast<std::size_t>(config.vocab_size));
  engine::ForwardPass pass(transformer, context, {.canvas = tokens}, precision);
  // The first pass of a canvas must compute all rows.
  pass.run(canvas, iota(0, tokens), wanted);
  const int count = static_cast<int>(wanted.size());
  std::vector<kernels::RowResult> drawn(wanted.size());
  const std::vector<std::int32_t> drawn_rows = iota(0, count);
  const std::vector<std::int32_t> no_bans(wanted.size() + 1);
  const std::vector<double> uniforms(wanted.size());
  const Timing time = time_runs(runs, [&] {
    pass.run(canvas, computed, wanted);
    if (!pass.keeps_logits()) return pass.logits(0, count, logits.data());
    // A device draws from logits where they are; what was drawn is what a step waits for.
    pass.keep_logits(0, count);
    pass.draw({.results = drawn,
               .logits = nullptr,
               .rows = drawn_rows,
               .allowed = {},
               .forbidden = -1,
               .banned = {},
               .banned_begin = no_bans,
               .uniforms = uniforms,
               .V = 0,
               .temperature = 0,
               .confidence = kernels::RowConfidence::NegativeEntropy});
  });
  const double operations = operations_of(config, tokens, rows, static_cast<int>(wanted.size()));
  return {.tokens = tokens, .rows = rows, .time = time, .gflops = operations / time.best / 1e9};
}

double operations_of(const engine::ModelConfig& config, int tokens, int rows, int logit_rows) {
  const double D = config.hidden_size;
  const double q = static_cast<double>(config.heads) * config.head_size;
  const double kv = static_cast<double>(config.kv_heads) * config.head_size;
  const double weights = D * (q + 2 * kv) + q * D + 3 * D * config.intermediate_size;
  const double attention = 2 * q * tokens;  // scores, and the weighted sum of values
  return 2 * (config.layers * rows * (weights + attention) + logit_rows * D * config.vocab_size);
}

Result<FillTiming> time_fill(const engine::Model& model, int runs) {
  Result<std::vector<engine::Hole>> holes = engine::find_markers(kSample, kLogitRows);
  if (!holes) return holes.error();
  engine::InfillRequest request;
  request.text = kSample;
  request.holes = std::move(*holes);
  request.language = "python";
  request.line_comment = "#";
  Result<engine::InfillResult> last = engine::infill(model, request);
  if (!last) return last.error();
  const Timing time = time_runs(runs, [&] { last = engine::infill(model, request); });
  if (!last) return last.error();
  return FillTiming{.tokens = static_cast<int>(last->commits.size()),
                    .forward_passes = last->forward_passes,
                    .time = time};
}

TokenizerTiming time_tokenizer(const engine::Tokenizer& tokenizer, int runs) {
  const std::string text = source_text();
  std::size_t tokens = 0;
  const Timing time = time_runs(runs, [&] { tokens = tokenizer.encode(text).size(); });
  return {.bytes = text.size(), .tokens = tokens, .time = time};
}

}  // namespace lacuna::cli
