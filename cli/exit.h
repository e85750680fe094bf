// How a command ends: exit codes, and the one line on standard error that says why.
#pragma once

#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;
inline constexpr int kInterrupted = 130;  // 128 + SIGINT, as shells count

// Prints "lacuna: <message>" and returns kFailed.
int report(const Error& error);
int report(std::string_view message);

// Prints "lacuna: <message> (see `lacuna <command> --help`)" and returns kWrongUsage. `command`
// may be empty.
int report_usage(std::string_view command, std::string_view message);

// A text as one line: control characters, line ends among them, become spaces.
std::string one_line(std::string_view text);

}  // namespace lacuna::cli
