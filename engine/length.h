// How long a fill should be: several lengths are tried as variants of one canvas, and the one whose
// first guess is surest is taken (CAL, "Calibrated length search", 2602.00476). A model is the less
// sure the longer a hole is, whatever belongs there; its calibration takes that out.
#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/canvas.h"
#include "engine/copy_source.h"
#include "engine/length_calibration.h"
#include "engine/length_prior.h"
#include "engine/model.h"
#include "engine/resident_cache.h"

namespace lacuna::engine {

// Mean probability of the most probable token over the masks of hole `hole_idx` of the canvas, were
// it `length` tokens long, for each of `lengths`: one pass over the canvas, and one over all
// lengths together. What follows the hole is not computed again for each length, only turned to its
// new place. `copies` are mixed in as they are when the hole denoises; null: none.
std::vector<double> length_confidence(const Model& model, const Canvas& canvas, int hole_idx,
                                      std::span<const int> lengths, const CopySource* copies);

// The logarithm of the probability of the text that each length comes to: the surest token is committed
// at each step, of more than 16 several, none is left empty, and what surrounds the hole is not computed
// again.
std::vector<double> finished_log_probability(const Model& model, const Canvas& canvas, int hole_idx,
                                             std::span<const int> lengths,
                                             const CopySource* copies);

// How choose_lengths() goes about it.
struct LengthSearch {
  int max_tokens;  // of a hole
  int room;        // by which the canvas may grow in all
  // One byte for each hole, 1 for those that keep their length.
  std::span<const std::uint8_t> fixed;
  // One for each hole, or none at all.
  std::span<const std::optional<LengthPrior>> priors = {};
  const CopySource* copies = nullptr;
  // So many of the lengths whose first guess is surest are denoised to the end, and the surest
  // text decides; 1: the first guess does.
  int finalists = 1;
  // Once it is requested no more is tried, and the lengths mean nothing.
  std::stop_token stop = {};
  // The pass over the canvas takes what this has of it, and is kept there; null: a full pass.
  const ResidentDocument* resident = nullptr;
};

// A length for each hole of the canvas: the best of 1, 2, 4, 8, ... and then of those between it and
// its neighbours.
std::vector<int> choose_lengths(const Model& model, const Canvas& canvas,
                                const LengthCalibration& calibration, const LengthSearch& search);

// The canvas with other lengths of its holes, all masked.
Canvas with_lengths(const Canvas& canvas, std::span<const int> lengths, std::int32_t mask_token);

}  // namespace lacuna::engine
