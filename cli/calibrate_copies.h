// The part of `lacuna model calibrate` that measures copies of the file beside a model.
#pragma once

#include <array>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "engine/copy_calibration.h"
#include "engine/model.h"

namespace lacuna::cli {

// Values of CopyMixing::sharpness that are tried.
inline constexpr std::array kSharpness = {1, 2, 3};

// What was measured, for each of kSharpness.
struct CopyMeasurements {
  std::array<std::vector<engine::CopySample>, kSharpness.size()> samples;
  int masked = 0;  // positions looked at, with and without something to copy
};

// Masks the bytes [begin, end) of a text as one hole, shows a random part of its tokens again, as a
// sampler would have them committed, and adds what model and copies say of each that stays masked.
// The hole's text has at least one token.
Result<void> measure_copies(const engine::Model& model, std::string_view text,
                            std::string_view language, std::size_t begin, std::size_t end,
                            int max_canvas, std::mt19937& random, CopyMeasurements& found);

// The mixture for the sharpness with which the samples are most probable.
Result<engine::CopyMixing> fit(const CopyMeasurements& found);

// Bits of a masked token that has something to copy: by the model alone, and mixed.
struct CopyGain {
  double model_bits;
  double mixed_bits;
};
CopyGain gain(const CopyMeasurements& found, const engine::CopyMixing& mixing);

}  // namespace lacuna::cli
