// Files with a JSON object on each line, plain or compressed with gzip.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/result.h"

namespace lacuna::cli {

inline constexpr std::uint64_t kMaxJsonLinesBytes = 512ULL << 20;  // after decompression

struct JsonLine {
  int number;  // in the file, from 1
  nlohmann::json object;
};

// The objects of a file; empty lines are left out. Whether it is compressed is seen from its
// content. NotFound when it cannot be read; InvalidInput, with the line, for what is no object,
// for a file that is larger than max_bytes, damaged, or has no line.
Result<std::vector<JsonLine>> read_json_lines(const std::string& path,
                                              std::uint64_t max_bytes = kMaxJsonLinesBytes);

}  // namespace lacuna::cli
