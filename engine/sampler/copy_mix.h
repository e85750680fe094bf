// Copies from the file, mixed into what a model predicts for a masked position. A small model copies
// names badly; what stands elsewhere in the file between the same neighbours is often the answer (a
// cache model: Grave et al., "Improving neural language models with a continuous cache", 1612.04426).
//
//   p(token) = (1 - lambda) p_model(token) + lambda p_copy(token)
//
// over the tokens of text. Tokens that only say how long a hole is (delete, expand) keep the
// probability that the model gives them: a copy knows nothing of that.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace lacuna::engine {

struct DrawScratch;

// What stands between the same neighbours elsewhere, for one position: see CopySource::find().
struct CopyEvidence {
  // Where more tokens than this have been found, the lightest are left out.
  static constexpr int kMaxTokens = 32;

  struct Token {
    std::int32_t token;
    double weight;  // relative to the others'
  };

  std::array<Token, kMaxTokens> tokens;
  int n_tokens = 0;
  // Of the best place: how many tokens are the same on each side.
  int left = 0;
  int right = 0;
  int n_places = 0;  // that are as good
  // Masks between the position and the first visible token on each side.
  int left_gap = 0;
  int right_gap = 0;

  void clear() { n_tokens = left = right = n_places = left_gap = right_gap = 0; }
  bool empty() const { return n_tokens == 0; }
  void add(std::int32_t token, double weight);
  const Token& heaviest() const;  // the first of them; only where there is one
  double total() const;
  double share(std::int32_t token) const;  // 0 to 1
};

inline constexpr int kCopyFeatures = 12;
using CopyFeatures = std::array<double, kCopyFeatures>;

// Their names in the file beside a model.
extern const std::array<const char*, kCopyFeatures> kCopyFeatureNames;

// What lambda depends on. `largest` is the model's probability of its best token of text, `copied`
// that of the heaviest token of the evidence, both among tokens of text.
CopyFeatures copy_features(const CopyEvidence& evidence, double largest, double copied);

// How a model's predictions and copies are mixed; measured by `lacuna model calibrate`.
struct CopyMixing {
  // A place weighs 2^sharpness times as much as one that has one token less in common.
  int sharpness = 2;
  CopyFeatures weights{};  // lambda = 1 / (1 + exp(-weights . features))
  // Wherever there is evidence it alone decides: the copies by themselves, for comparison.
  bool always = false;
  // Tokens that are not text although a hole may draw them, or -1.
  std::array<std::int32_t, 2> length_tokens{-1, -1};

  double lambda(const CopyFeatures& features) const;
};

// One masked position: what the model and what the copies gave the token that belongs there, both
// among tokens of text.
struct CopySample {
  CopyFeatures features;
  double model;  // probabilities
  double copy;
};

// What mix_copies() would have to decide on, for measuring it: `logits` as it gets them, `answer` the
// token of text that belongs there. Nothing where there is no evidence or the row is empty.
std::optional<CopySample> copy_sample(std::span<float> logits, const CopyEvidence& evidence,
                                      const CopyMixing& mixing, std::int32_t answer,
                                      DrawScratch& scratch);

// Mixes the evidence into a row of logits in which what cannot be drawn is -inf; such tokens are no
// evidence either. Only some logits change: those of copied tokens and of length_tokens. A row
// without evidence, or with NaN, stays as it is.
void mix_copies(std::span<float> logits, const CopyEvidence& evidence, const CopyMixing& mixing,
                DrawScratch& scratch);

}  // namespace lacuna::engine
