// Whether what a pass reuses has gone stale, told from the attention of a few tokens
// (Elastic-Cache, Nguyen-Tri et al., "Attention is all you need for KV cache in diffusion LLMs",
// 2510.14973).
//
// Of each layer one token is watched: at a full pass the one that the masks attend to most, of
// those whose keys and values the passes to come reuse. It moves least of all, so that when it has
// moved the others have, too. Its row is computed at every pass, and the weights with which it
// attends to the canvas, the mean over all heads, are compared with those of the pass before: the
// cosine of the two, the smallest of all layers, is what the pass has left of them.
//
// The paper chooses the tokens anew at every step, and computes again only the layers above the
// one whose token has moved; here they stay until the next full pass, and that is of all layers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/canvas_splice.h"

namespace lacuna::engine {

class AttentionWatch {
 public:
  // For canvases of up to `capacity` tokens. The memory of a layer is taken at its first full pass.
  explicit AttentionWatch(int capacity);

  // Before a pass: the masks, and the positions that every pass computes, both increasing and valid
  // until it is over.
  void begin(std::span<const std::int32_t> masked, std::span<const std::int32_t> recomputed);

  // What a forward pass tells of each layer, the lowest first. At a full pass how much the masks
  // attend to each position of the canvas ...
  std::span<const std::int32_t> masked() const { return masked_; }
  void choose(int layer, std::span<const float> attention);
  // ... and at every pass how the watched token does, if there is one.
  int token(int layer) const { return layers_[static_cast<std::size_t>(layer)].token; }  // or -1
  void follow(int layer, std::span<const float> attention);

  // The watched tokens, increasing, each once.
  std::span<const std::int32_t> tokens() const { return tokens_; }
  // From 0 to 1; 1 after a full pass, and where nothing is watched.
  double similarity() const { return similarity_; }

  // The canvas has been spliced, in a hole.
  void splice(const CanvasSplice& splice);

 private:
  struct Layer {
    int token = -1;
    bool is_new = false;         // chosen at this pass
    std::vector<float> weights;  // of the last pass, one for each position
  };

  void find_tokens();

  int capacity_;
  std::span<const std::int32_t> masked_;
  std::span<const std::int32_t> recomputed_;
  std::vector<Layer> layers_;
  std::vector<std::int32_t> tokens_;
  double similarity_ = 1;
};

}  // namespace lacuna::engine
