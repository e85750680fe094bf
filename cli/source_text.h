// The text that a command works on: a file or standard input, within limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna::cli {

inline constexpr std::uint64_t kMaxSourceBytes = 16ULL << 20;
inline constexpr std::uint64_t kMaxLineBytes = 64ULL << 10;

// Reads FILE, or standard input for "-". InvalidInput, with what to do, for what is too large,
// binary (it holds a NUL byte), or no regular file; NotFound when it cannot be read.
Result<std::string> read_source(const std::string& path);

// The checks on what was read; `name` is for messages.
Result<void> check_source(std::string_view text, std::string_view name);

}  // namespace lacuna::cli
