// How a model decodes a set of inputs: in which order, how sure it was where, and how temperature
// changes both.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/analyze/inputs.h"
#include "cli/eval/decode.h"
#include "cli/eval/length.h"
#include "cli/eval/metrics.h"
#include "engine/analysis/ar_ness.h"

namespace lacuna::cli {

inline constexpr int kLocalKs = 9;
inline constexpr int kGlobalKs = 4;

struct DecodedToken {
  int hole;
  int offset;         // in its hole
  int order;          // 0 was decided first, counted over all canvases of the input
  int step;           // of its canvas
  std::string text;   // bytes; control tokens spelt out, empty for one that was deleted
  float probability;  // with which it was decided
};

struct DecodedInput {
  std::string name;
  std::vector<std::string> around;   // the text before, between and after the holes
  std::vector<DecodedToken> tokens;  // in the order of decoding
};

// One canvas at every step: a row for each step, a column for each of its masked positions.
struct DecodeMap {
  struct Cell {
    int step;
    int column;
    float probability;  // of the best candidate there
    bool committed;     // at this step
  };
  int steps = 0;
  std::vector<std::string> columns;  // what each position became; empty if it stayed masked
  std::vector<Cell> cells;           // of the positions still masked
};

struct SweepPoint {
  float temperature;
  std::vector<engine::ArNessMean> ar_ness;
  int tested = 0;                               // inputs with tests
  std::vector<std::pair<int, double>> pass_at;  // of these
};

struct Analysis {
  std::vector<DecodedInput> inputs;
  std::vector<std::string> left_out;  // names of inputs that the model has no room for
  int canvases = 0;
  std::vector<engine::ArNessMean> ar_ness;  // k = 1..kLocalKs
  std::vector<engine::FirstStepMean> first_step;
  std::size_t example = 0;  // of `inputs`
  DecodeMap map;            // of its first canvas
  std::vector<SweepPoint> sweep;
};

struct AnalysisSettings {
  DecodeOptions decode;
  LengthRegime length;
  std::size_t example = 0;  // of the inputs
  std::vector<float> temperatures;
  int samples = 1;                         // of each input at each temperature
  int parallel = 1;                        // programs
  const PythonSandbox* sandbox = nullptr;  // null: nothing is tested
  std::stop_token stop;
  std::function<void(int)> on_done;  // so many inputs are decoded
};

// The largest number that on_done() gets.
int decodes_of(std::size_t inputs, const AnalysisSettings& settings);

// Decodes everything once with the options as given, then `samples` times at each temperature.
// InvalidInput when the example does not fit the model; Cancelled when stopped.
Result<Analysis> analyse(const engine::Model& model, std::span<const AnalyzeInput> inputs,
                         const AnalysisSettings& settings);

}  // namespace lacuna::cli
