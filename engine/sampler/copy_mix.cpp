#include "engine/sampler/copy_mix.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/sampler/candidate.h"
#include "engine/sampler/row_math.h"

namespace lacuna::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kMostLambda = 0.9999;
constexpr double kOnlyCopies = 1 - 1e-6;
constexpr double kLeastProbability = 1e-6;

// exp(logit - largest) of every token of text, and their sum.
struct TextRow {
  float largest;
  double total;
};

TextRow text_row(std::span<const float> logits, DrawScratch& scratch) {
  const int n = static_cast<int>(logits.size());
  scratch.maxima.resize(static_cast<std::size_t>(n_row_columns(n)));
  scratch.weights.resize(logits.size());
  scratch.sums.resize(static_cast<std::size_t>(n_row_blocks(n)));
  row_math().column_maxima(scratch.maxima.data(), logits.data(), n);
  const float largest = *std::max_element(scratch.maxima.begin(), scratch.maxima.end());
  return {largest, row_math().exponentials(scratch.weights.data(), scratch.sums.data(),
                                           logits.data(), largest, n)};
}

double scaled(int n, int most) { return static_cast<double>(std::min(n, most)) / most; }

bool is_length_token(const CopyMixing& mixing, std::int32_t token) {
  return token == mixing.length_tokens[0] || token == mixing.length_tokens[1];
}

// The evidence that can be drawn.
CopyEvidence usable(std::span<const float> logits, const CopyEvidence& evidence,
                    const CopyMixing& mixing) {
  CopyEvidence left = evidence;
  left.n_tokens = 0;
  for (int i = 0; i < evidence.n_tokens; ++i) {
    const CopyEvidence::Token& it = evidence.tokens[i];
    const auto row = static_cast<std::size_t>(it.token);
    if (it.token < 0 || row >= logits.size() || logits[row] == -kInfinity) continue;
    if (!is_length_token(mixing, it.token)) left.tokens[left.n_tokens++] = it;
  }
  return left;
}

}  // namespace

const std::array<const char*, kCopyFeatures> kCopyFeatureNames = {
    "constant", "left",      "right", "first_left", "first_right", "both",
    "left_gap", "right_gap", "share", "places",     "largest",     "copied"};

void CopyEvidence::add(std::int32_t token, double weight) {
  const auto end = tokens.begin() + n_tokens;
  const auto found =
      std::find_if(tokens.begin(), end, [&](const Token& it) { return it.token == token; });
  if (found != end) {
    found->weight += weight;
  } else if (n_tokens < kMaxTokens) {
    tokens[n_tokens++] = {token, weight};
  } else {
    const auto lightest = std::min_element(
        tokens.begin(), end, [](const Token& a, const Token& b) { return a.weight < b.weight; });
    if (lightest->weight < weight) *lightest = {token, weight};
  }
}

const CopyEvidence::Token& CopyEvidence::heaviest() const {
  return *std::max_element(tokens.begin(), tokens.begin() + n_tokens,
                           [](const Token& a, const Token& b) { return a.weight < b.weight; });
}

double CopyEvidence::total() const {
  double total = 0;
  for (int i = 0; i < n_tokens; ++i) total += tokens[i].weight;
  return total;
}

double CopyEvidence::share(std::int32_t token) const {
  for (int i = 0; i < n_tokens; ++i) {
    if (tokens[i].token == token) return tokens[i].weight / total();
  }
  return 0;
}

CopyFeatures copy_features(const CopyEvidence& evidence, double largest, double copied) {
  const auto logarithm = [](int n) { return std::log2(1.0 + n) / 4; };
  return {1,
          scaled(evidence.left, 8),
          scaled(evidence.right, 8),
          scaled(evidence.left, 2),
          scaled(evidence.right, 2),
          evidence.left > 0 && evidence.right > 0 ? 1.0 : 0.0,
          logarithm(evidence.left_gap),
          logarithm(evidence.right_gap),
          evidence.empty() ? 0 : evidence.heaviest().weight / evidence.total(),
          logarithm(std::min(evidence.n_places, 15)),
          largest,
          1 - std::log(std::max(copied, kLeastProbability)) / std::log(kLeastProbability)};
}

double CopyMixing::lambda(const CopyFeatures& features) const {
  if (always) return kOnlyCopies;
  double sum = 0;
  for (int i = 0; i < kCopyFeatures; ++i) sum += weights[i] * features[i];
  return std::min(kMostLambda, 1 / (1 + std::exp(-sum)));
}

namespace {

// A row without the tokens that only say how long a hole is, until this goes.
class WithoutLengthTokens {
 public:
  WithoutLengthTokens(std::span<float> logits, const CopyMixing& mixing)
      : logits_(logits), tokens_(mixing.length_tokens) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (has(i)) std::swap(kept_[i], at(i));
    }
  }
  WithoutLengthTokens(const WithoutLengthTokens&) = delete;
  WithoutLengthTokens& operator=(const WithoutLengthTokens&) = delete;
  ~WithoutLengthTokens() {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (has(i)) at(i) = static_cast<float>(kept_[i] - log_rest);
    }
  }

  double log_rest = 0;  // log(1 - lambda), by which the others have been divided

 private:
  bool has(std::size_t i) const {
    return tokens_[i] >= 0 && static_cast<std::size_t>(tokens_[i]) < logits_.size();
  }
  float& at(std::size_t i) { return logits_[static_cast<std::size_t>(tokens_[i])]; }

  std::span<float> logits_;
  std::array<std::int32_t, 2> tokens_;
  std::array<float, 2> kept_{-kInfinity, -kInfinity};
};

// Of a row without length tokens, whose exponentials are in `scratch`.
double probability(const TextRow& row, const DrawScratch& scratch, std::int32_t token) {
  return scratch.weights[static_cast<std::size_t>(token)] / row.total;
}

CopyFeatures features_of(const TextRow& row, const CopyEvidence& copies,
                         const DrawScratch& scratch) {
  return copy_features(copies, 1 / row.total, probability(row, scratch, copies.heaviest().token));
}

}  // namespace

std::optional<CopySample> copy_sample(std::span<float> logits, const CopyEvidence& evidence,
                                      const CopyMixing& mixing, std::int32_t answer,
                                      DrawScratch& scratch) {
  const CopyEvidence copies = usable(logits, evidence, mixing);
  if (copies.empty()) return std::nullopt;
  const WithoutLengthTokens only_text(logits, mixing);
  const TextRow row = text_row(logits, scratch);
  if (!(row.total > 0)) return std::nullopt;
  return CopySample{.features = features_of(row, copies, scratch),
                    .model = probability(row, scratch, answer),
                    .copy = copies.share(answer)};
}

void mix_copies(std::span<float> logits, const CopyEvidence& evidence, const CopyMixing& mixing,
                DrawScratch& scratch) {
  const CopyEvidence copies = usable(logits, evidence, mixing);
  if (copies.empty()) return;
  WithoutLengthTokens only_text(logits, mixing);
  const TextRow row = text_row(logits, scratch);
  if (!(row.total > 0)) return;
  const double lambda = mixing.lambda(features_of(row, copies, scratch));
  only_text.log_rest = std::log1p(-lambda);
  const double total = copies.total();
  // Everything is divided by 1 - lambda, so that logits without evidence stay what they are.
  for (int i = 0; i < copies.n_tokens; ++i) {
    const CopyEvidence::Token& it = copies.tokens[i];
    const double mixed = probability(row, scratch, it.token) +
                         std::exp(-only_text.log_rest) * lambda * (it.weight / total);
    logits[static_cast<std::size_t>(it.token)] =
        static_cast<float>(row.largest + std::log(row.total) + std::log(mixed));
  }
}

}  // namespace lacuna::engine
