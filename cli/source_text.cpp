#include "cli/source_text.h"

#include <algorithm>
#include <filesystem>

#include "cli/format.h"
#include "cli/standard_io.h"
#include "support/file.h"
#include "support/text.h"

namespace lacuna::cli {
namespace {

Error too_large(const std::string& name, std::uint64_t bytes) {
  return fail(ErrorCode::InvalidInput, name + " has " + human_bytes(bytes) +
                                           "; files of more than " + human_bytes(kMaxSourceBytes) +
                                           " are not filled");
}

}  // namespace

Result<std::string> read_source(const std::string& path) {
  if (path == "-") {
    Result<std::string> text = read_input(kMaxSourceBytes);
    if (!text) return text;
    if (const Result<void> ok = check_source(*text, "standard input"); !ok) return ok.error();
    return text;
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(ErrorCode::InvalidInput, path + " is a folder; name a file in it");
  }
  // Asked before reading: a clearer message than read_file's.
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  if (!ignored && size > kMaxSourceBytes) return too_large(path, size);
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    return fail(
        ErrorCode::InvalidInput,
        path + " is not a regular file; to read a pipe, give - and redirect standard input");
  }
  Result<std::string> text = read_file(path, kMaxSourceBytes);
  if (!text) return text;
  if (const Result<void> ok = check_source(*text, path); !ok) return ok.error();
  return text;
}

Result<void> check_source(std::string_view text, std::string_view name) {
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(ErrorCode::InvalidInput, std::string(name) + " is not a text: byte " +
                                             std::to_string(nul) +
                                             " is NUL (UTF-16 must be converted to UTF-8 first)");
  }
  const LineIndex lines(text);
  for (std::size_t line = 0; line < lines.line_count(); ++line) {
    const std::size_t bytes = lines.line_end(line) - lines.line_begin(line);
    if (bytes <= kMaxLineBytes) continue;
    return fail(ErrorCode::InvalidInput, "line " + std::to_string(line + 1) + " of " +
                                             std::string(name) + " has " + human_bytes(bytes) +
                                             "; lines of more than " + human_bytes(kMaxLineBytes) +
                                             " are not filled (is the file minified?)");
  }
  return {};
}

}  // namespace lacuna::cli
