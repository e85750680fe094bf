#include "engine/attention_watch.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lacuna::engine {
namespace {

// 1 for two rows of zeros, which have not moved either.
double cosine(std::span<const float> a, std::span<const float> b) {
  double product = 0, a_squares = 0, b_squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += double{a[i]} * double{b[i]};
    a_squares += double{a[i]} * double{a[i]};
    b_squares += double{b[i]} * double{b[i]};
  }
  const double lengths = std::sqrt(a_squares * b_squares);
  if (lengths == 0) return 1;
  const double cosine = product / lengths;
  return cosine > 1 ? 1 : cosine;  // a NaN stays one
}

}  // namespace

AttentionWatch::AttentionWatch(int capacity) : capacity_(capacity) {}

void AttentionWatch::begin(std::span<const std::int32_t> masked,
                           std::span<const std::int32_t> recomputed) {
  masked_ = masked;
  recomputed_ = recomputed;
  similarity_ = 1;
  for (Layer& layer : layers_) layer.is_new = false;
}

void AttentionWatch::choose(int layer_idx, std::span<const float> attention) {
  if (layer_idx == static_cast<int>(layers_.size())) {
    layers_.emplace_back().weights.reserve(static_cast<std::size_t>(capacity_));
    tokens_.reserve(layers_.size());
  }
  Layer& layer = layers_[static_cast<std::size_t>(layer_idx)];
  layer.token = -1;
  layer.is_new = true;
  float most = -1;
  for (int t = 0; t < static_cast<int>(attention.size()); ++t) {
    if (attention[t] <= most) continue;
    if (std::binary_search(recomputed_.begin(), recomputed_.end(), t)) continue;
    most = attention[t];
    layer.token = t;
  }
  find_tokens();
}

void AttentionWatch::follow(int layer_idx, std::span<const float> attention) {
  Layer& layer = layers_[static_cast<std::size_t>(layer_idx)];
  if (!layer.is_new) {
    // A NaN counts as a change: it must not hide one.
    const double left = cosine(layer.weights, attention);
    similarity_ = std::isnan(left) ? 0 : std::min(similarity_, left);
  }
  layer.weights.assign(attention.begin(), attention.end());
}

void AttentionWatch::splice(const CanvasSplice& splice) {
  for (Layer& layer : layers_) {
    if (layer.token < 0) continue;
    const auto at = layer.weights.begin() + splice.begin;
    layer.weights.insert(layer.weights.erase(at, at + splice.removed),
                         static_cast<std::size_t>(splice.inserted), 0.0F);
    if (layer.token >= splice.begin) layer.token += splice.inserted - splice.removed;
  }
  find_tokens();
}

void AttentionWatch::find_tokens() {
  tokens_.clear();
  for (const Layer& layer : layers_) {
    if (layer.token < 0) continue;
    const auto at = std::lower_bound(tokens_.begin(), tokens_.end(), layer.token);
    if (at == tokens_.end() || *at != layer.token) tokens_.insert(at, layer.token);
  }
}

}  // namespace lacuna::engine
