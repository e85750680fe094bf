#include "cli/eval/json_lines.h"

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <zlib.h>

#include "cli/format.h"

namespace lacuna::cli {
namespace {

struct CloseGz {
  void operator()(gzFile_s* file) const { ::gzclose_r(file); }
};

Result<std::string> read_whole(const std::string& path, std::uint64_t max_bytes) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    return fail(ErrorCode::InvalidInput, path + " is not a regular file");
  }
  errno = 0;
  const std::unique_ptr<gzFile_s, CloseGz> file(::gzopen(path.c_str(), "rbe"));
  if (file == nullptr) {
    return fail(ErrorCode::NotFound,
                "cannot open " + path + ": " + std::generic_category().message(errno));
  }
  std::string content;
  std::array<char, 1 << 16> chunk;
  for (;;) {
    const int got = ::gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
    if (got > 0) content.append(chunk.data(), static_cast<std::size_t>(got));
    if (content.size() > max_bytes) {
      return fail(ErrorCode::InvalidInput,
                  path + " has more than " + human_bytes(max_bytes) + ", the limit");
    }
    // Z_BUF_ERROR: a compressed file that ends too early.
    int error = Z_OK;
    const char* message = ::gzerror(file.get(), &error);
    if (got < 0 || error == Z_BUF_ERROR) {
      return fail(ErrorCode::InvalidInput, "cannot read " + path + ": " + message);
    }
    if (got == 0) return content;
  }
}

}  // namespace

namespace {

Result<void> for_each_numbered_line(
    const std::string& path, std::uint64_t max_bytes,
    const std::function<Result<void>(int number, nlohmann::json&&)>& use) {
  const Result<std::string> content = read_whole(path, max_bytes);
  if (!content) return content.error();
  bool any = false;
  int number = 0;
  for (std::size_t begin = 0; begin < content->size();) {
    const std::size_t end = std::min(content->find('\n', begin), content->size());
    const std::string_view text = std::string_view(*content).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    any = true;
    if (const Result<void> used = use(number, nlohmann::json::parse(text, nullptr, false)); !used) {
      return fail(used.error().code,
                  path + ":" + std::to_string(number) + ": " + used.error().message);
    }
  }
  if (!any) return fail(ErrorCode::InvalidInput, path + " has no line");
  return {};
}

}  // namespace

Result<void> for_each_json_line(const std::string& path, std::uint64_t max_bytes,
                                const std::function<Result<void>(nlohmann::json&&)>& use) {
  return for_each_numbered_line(path, max_bytes, [&](int, nlohmann::json&& value) -> Result<void> {
    if (value.is_discarded()) return fail(ErrorCode::InvalidInput, "the line is not JSON");
    return use(std::move(value));
  });
}

Result<std::vector<JsonLine>> read_json_lines(const std::string& path, std::uint64_t max_bytes) {
  std::vector<JsonLine> lines;
  const Result<void> read = for_each_numbered_line(
      path, max_bytes, [&](int number, nlohmann::json&& value) -> Result<void> {
        if (!value.is_object()) {
          return fail(ErrorCode::InvalidInput, "the line is not a JSON object");
        }
        lines.push_back({number, std::move(value)});
        return {};
      });
  if (!read) return read.error();
  return lines;
}

}  // namespace lacuna::cli
