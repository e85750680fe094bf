#include "cli/bench_measure.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <numeric>

#include "engine/infill.h"
#include "engine/resident_cache.h"

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

std::vector<std::int32_t> arbitrary_ids(int count, int vocab_size) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    ids[static_cast<std::size_t>(i)] = static_cast<std::int32_t>((i * 7919LL) % vocab_size);
  }
  return ids;
}

// The logits of the first `count` wanted rows of a pass. A device draws from them where they are;
// what was drawn is what a step waits for.
class StepEnd {
 public:
  StepEnd(int count, int vocab_size)
      : count_(count),
        logits_(static_cast<std::size_t>(count) * static_cast<std::size_t>(vocab_size)),
        drawn_(static_cast<std::size_t>(count)),
        rows_(iota(0, count)),
        no_bans_(drawn_.size() + 1),
        uniforms_(drawn_.size()) {}

  // The pass and its end, in one where the device can.
  void run(engine::ForwardPass& pass, const engine::ForwardInput& input) {
    const kernels::DrawLogits draw = draw_all();
    if (pass.draws_in_step({&input, 1}, {&draw, 1})) {
      pass.run({&input, 1}, {&draw, 1});
      return;
    }
    pass.run({&input, 1});
    wait_for(pass);
  }

  void wait_for(engine::ForwardPass& pass) {
    if (!pass.keeps_logits()) return pass.logits(0, count_, logits_.data());
    pass.keep_logits(0, count_);
    pass.draw(draw_all());
  }

 private:
  kernels::DrawLogits draw_all() {
    return {.results = drawn_,
            .logits = nullptr,
            .rows = rows_,
            .allowed = {},
            .forbidden = -1,
            .banned = {},
            .banned_begin = no_bans_,
            .uniforms = uniforms_,
            .V = 0,
            .temperature = 0,
            .confidence = kernels::RowConfidence::NegativeEntropy};
  }

  int count_;
  std::vector<float> logits_;
  std::vector<kernels::RowResult> drawn_;
  std::vector<std::int32_t> rows_;
  std::vector<std::int32_t> no_bans_;
  std::vector<double> uniforms_;
};

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

bool takes_steps_down(const engine::Transformer& transformer) {
  kernels::Backend* device = transformer.device();
  return device != nullptr && device->step_device() != nullptr && device->step_device()->records();
}

WithoutGraphs::WithoutGraphs(const engine::Transformer& transformer)
    : steps_(transformer.device()->step_device()) {
  steps_->set_records(false);
}

WithoutGraphs::~WithoutGraphs() { steps_->set_records(true); }

PassTiming time_pass(const engine::Transformer& transformer, kernels::CpuContext& context,
                     kernels::Precision precision, int tokens, int rows, int runs) {
  const engine::ModelConfig& config = transformer.config();
  const std::vector<std::int32_t> canvas = arbitrary_ids(tokens, config.vocab_size);
  const int first = (tokens - rows) / 2;
  const std::vector<std::int32_t> computed = iota(first, rows);
  const std::vector<std::int32_t> wanted = iota(first, std::min(rows, kLogitRows));
  engine::ForwardPass pass(transformer, context, {.canvas = tokens}, precision);
  // The first pass of a canvas must compute all rows.
  pass.run(canvas, iota(0, tokens), wanted);
  const int count = static_cast<int>(wanted.size());
  StepEnd end(count, config.vocab_size);
  const engine::ForwardInput input{.canvas = canvas, .rows = computed, .wanted = wanted};
  end.run(pass, input);  // the second time it is taken down
  const Timing time = time_runs(runs, [&] { end.run(pass, input); });
  Timing host = time;
  if (pass.keeps_logits()) {
    std::vector<double> seconds;
    for (int i = 0; i < runs + 2; ++i) {
      const Clock::time_point start = Clock::now();
      pass.run({&input, 1});
      const Clock::time_point queued = Clock::now();
      end.wait_for(pass);
      if (i >= 2) seconds.push_back(std::chrono::duration<double>(queued - start).count());
    }
    host = timing_of(std::move(seconds));
  }
  const double operations = operations_of(config, tokens, rows, count);
  return {.tokens = tokens,
          .rows = rows,
          .time = time,
          .gflops = operations / time.best / 1e9,
          .host = host};
}

PassTiming time_edit(const engine::Transformer& transformer, kernels::CpuContext& context,
                     kernels::Precision precision, int tokens, int runs) {
  const engine::ModelConfig& config = transformer.config();
  const std::int32_t mask = config.vocab_size - 1;
  const int typed = tokens / 2;
  std::vector<std::int32_t> canvas = arbitrary_ids(tokens, mask);
  std::fill_n(canvas.begin() + typed, kLogitRows, mask);
  std::vector<std::int32_t> other = canvas;  // with a token in front of the hole
  other.insert(other.begin() + typed, 0);
  other.pop_back();
  engine::ResidentCache cache({.documents = 1, .bytes = SIZE_MAX});
  engine::ForwardPass pass(transformer, context, {.canvas = tokens}, precision);
  pass.run(canvas, iota(0, tokens), {});
  cache.save(pass, 0, "", canvas, 0);
  StepEnd end(kLogitRows, config.vocab_size);
  int rows = 0;
  bool is_typed = false;
  const Timing time = time_runs(runs, [&] {
    is_typed = !is_typed;  // and taken back at the next run
    const std::vector<std::int32_t>& now = is_typed ? other : canvas;
    const auto warmth = cache.load(pass, 0, "", now, mask, INT_MAX);
    rows = static_cast<int>(warmth.rows.size());
    const std::vector<std::int32_t> wanted = iota(typed, kLogitRows);
    end.run(pass, {.canvas = now, .rows = warmth.rows, .wanted = wanted});
    cache.save(pass, 0, "", now, warmth.edits);
  });
  const double operations = operations_of(config, tokens, rows, kLogitRows);
  return {.tokens = tokens,
          .rows = rows,
          .time = time,
          .gflops = operations / time.best / 1e9,
          .host = time};
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
