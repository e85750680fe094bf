// How far the copies of a file are to be trusted beside a model: measured once, kept beside it.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "engine/sampler/copy_mix.h"
#include "support/result.h"

namespace lacuna::engine {

// The file beside a model's weights: sharpness, and a weight for each of kCopyFeatureNames.
inline constexpr std::string_view kCopyMixingFile = "copy_mixing.json";

// NotFound when the model has none, Corrupt when it makes no sense.
Result<CopyMixing> load_copy_mixing(const std::filesystem::path& folder);
Result<CopyMixing> parse_copy_mixing(std::string_view json);
std::string to_json(const CopyMixing& mixing);

// -log2 of the mixture's probability, on average: bits of a masked token that has evidence.
double copy_bits(std::span<const CopySample> samples, const CopyMixing& mixing);

// The weights that make the samples most probable (gradient ascent; a little weight decay).
// InvalidInput with fewer than 50 samples.
Result<CopyMixing> fit_copy_mixing(std::span<const CopySample> samples, int sharpness);

}  // namespace lacuna::engine
