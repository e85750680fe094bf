// Files with a JSON value on each line, plain or compressed with gzip.
#pragma once

#include <cstdint>
#include <functional>
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

// The objects of a file, read as for_each_json_line() does; InvalidInput also for a line that is no
// object.
Result<std::vector<JsonLine>> read_json_lines(const std::string& path,
                                              std::uint64_t max_bytes = kMaxJsonLinesBytes);

// Calls `use` with every line that is not empty, in order, until it fails. Whether the file is
// compressed is seen from its content. NotFound when it cannot be read; InvalidInput, with the
// line, for what is not JSON, for a file that is larger than max_bytes, damaged, or has no line; and
// what `use` says, with FILE:LINE before it.
Result<void> for_each_json_line(const std::string& path, std::uint64_t max_bytes,
                                const std::function<Result<void>(nlohmann::json&&)>& use);

}  // namespace lacuna::cli
