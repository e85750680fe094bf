// How far the predictions of a model are from those of another one with the same tokens.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna::cli {

struct Comparison {
  int positions;      // masked positions that both predicted
  double mean_kl;     // of the distributions over tokens, from the reference, in nats
  double same_token;  // share of positions with the same most probable token
};

// A few dozen lines of code in several languages, for when there is no better text.
std::string_view sample_source();

// Cuts the text into canvases, masks a third of the tokens of each (always the same ones), and
// compares the logits there. The reference computes with its weights as stored and float32
// products, the other model as `--dtype auto` does. At most 1024 positions are compared, fewer with
// a large vocabulary. One model is in memory at a time. Fails as Model::load() does, and for a text without tokens.
Result<Comparison> compare_models(const std::filesystem::path& reference,
                                  const std::filesystem::path& other, std::string_view text,
                                  int threads);

}  // namespace lacuna::cli
