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

// A length for each hole of the canvas, at most `max_tokens`: the best of 1, 2, 4, 8, ... and then
// of those between it and its neighbours. Holes in `fixed` (one byte for each) keep theirs.
// `copies` may be null. `room` is how many tokens the canvas may grow by in all. `priors` has one for
// each hole of the canvas, or is empty. Once `stop` is requested no more is tried, and the lengths
// mean nothing. The pass over the canvas takes what `resident` has of it, and is kept there; null: a
// full pass.
std::vector<int> choose_lengths(const Model& model, const Canvas& canvas,
                                const LengthCalibration& calibration, const CopySource* copies,
                                int max_tokens, int room, std::span<const std::uint8_t> fixed,
                                std::span<const std::optional<LengthPrior>> priors = {},
                                const std::stop_token& stop = {},
                                const ResidentDocument* resident = nullptr);

// The canvas with other lengths of its holes, all masked.
Canvas with_lengths(const Canvas& canvas, std::span<const int> lengths, std::int32_t mask_token);

}  // namespace lacuna::engine
