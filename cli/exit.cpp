#include "cli/exit.h"

#include <unistd.h>

namespace lacuna::cli {
namespace {

void print_error(std::string_view message) {
  const std::string line = "lacuna: " + one_line(message) + "\n";
  // Nothing can be done when standard error is closed, too.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

int report(const Error& error) { return report(error.message); }

int report(std::string_view message) {
  print_error(message);
  return kFailed;
}

int report_usage(std::string_view command, std::string_view message) {
  const std::string space = command.empty() ? "" : " ";
  print_error(std::string(message) + " (see `lacuna" + space + std::string(command) + " --help`)");
  return kWrongUsage;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return line;
}

}  // namespace lacuna::cli
