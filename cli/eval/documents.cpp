#include "cli/eval/documents.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "cli/eval/json_lines.h"
#include "cli/format.h"
#include "cli/source_text.h"
#include "support/file.h"
#include "support/language.h"
#include "support/text.h"

namespace lacuna::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxTextBytes = 256ULL << 20;
constexpr std::uint64_t kMaxFileBytes = 200'000;  // training/filters.py keeps no larger ones

std::string with_unix_line_ends(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i];
  }
  return out;
}

// The documents so far, with what keeps them in bounds.
struct Collection {
  const std::string& path;
  Part part;
  std::uint64_t bytes = 0;
  std::vector<SourceDocument> documents = {};

  Result<void> add(SourceDocument document) {
    bytes += document.text.size();
    if (bytes > kMaxTextBytes) {
      return fail(ErrorCode::InvalidInput, "there are more than " + human_bytes(kMaxTextBytes) +
                                               " of source in it, the limit; give a part of it");
    }
    documents.push_back(std::move(document));
    return {};
  }
};

Result<void> add_line(const nlohmann::json& line, Collection& found) {
  const auto is_text = [](const nlohmann::json& field) { return field.is_string(); };
  if (!line.is_array() || line.size() != 4 || !std::all_of(line.begin(), line.end(), is_text)) {
    return fail(ErrorCode::InvalidInput,
                "the line is not [\"language\", \"package\", \"path\", \"text\"], as "
                "training.corpus writes it");
  }
  const std::string name = line[1].get<std::string>() + "/" + line[2].get<std::string>();
  const Language* language = language_named(line[0].get<std::string>());
  if (language == nullptr) {
    return fail(ErrorCode::InvalidInput,
                "there is no language '" + line[0].get<std::string>() + "'");
  }
  const std::string text = line[3].get<std::string>();
  if (const Result<void> ok = check_source(text, "the text"); !ok) return ok;
  if (part_of(name) != found.part) return {};
  return found.add({.name = name,
                    .language = std::string(language->model_name),
                    .text = with_unix_line_ends(text)});
}

Result<void> add_file(const fs::path& file, const std::string& name, Collection& found) {
  if (part_of(name) != found.part || language_of_file(name, "") == nullptr) return {};
  std::error_code ignored;
  if (fs::file_size(file, ignored) > kMaxFileBytes || ignored) return {};
  const Result<std::string> text = read_file(file, kMaxFileBytes);
  if (!text) return text.error();
  if (!is_valid_utf8(*text) || !check_source(*text, name)) return {};
  return found.add({.name = name,
                    .language = std::string(language_of_file(name, *text)->model_name),
                    .text = with_unix_line_ends(*text)});
}

Result<void> add_folder(Collection& found) {
  std::error_code error;
  const fs::path folder(found.path);
  std::vector<fs::path> files;
  fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const bool hidden = it->path().filename().string().starts_with('.');
    if (hidden && it->is_directory(error)) it.disable_recursion_pending();
    if (!hidden && !it->is_symlink(error) && it->is_regular_file(error)) {
      files.push_back(it->path());
    }
  }
  if (error) {
    return fail(ErrorCode::NotFound, "cannot read " + found.path + ": " + error.message());
  }
  // A folder has no order of its own.
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const std::string name = file.lexically_relative(folder).generic_string();
    if (const Result<void> added = add_file(file, name, found); !added) {
      return fail(added.error().code, found.path + ": " + added.error().message);
    }
  }
  return {};
}

}  // namespace

std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  // The low bits of FNV know only the low bits of the characters.
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

Part part_of(std::string_view name) {
  return (name_hash(name) & 3U) == 0 ? Part::Calibration : Part::Evaluation;
}

bool is_document_set(const std::string& path) {
  std::error_code ignored;
  return path.ends_with(".jsonl") || path.ends_with(".jsonl.gz") || fs::is_directory(path, ignored);
}

Result<std::vector<SourceDocument>> read_documents(const std::string& path, Part part) {
  Collection found = {.path = path, .part = part};
  std::error_code ignored;
  const Result<void> read =
      fs::is_directory(path, ignored)
          ? add_folder(found)
          : for_each_json_line(path, kMaxTextBytes,
                               [&](nlohmann::json&& line) { return add_line(line, found); });
  if (!read) return read.error();
  if (found.documents.empty()) {
    return fail(ErrorCode::InvalidInput,
                path + " has no source file " +
                    (part == Part::Evaluation
                         ? "to measure on (a quarter of the names is kept for calibration)"
                         : "for calibration (a quarter of the names is kept for it)"));
  }
  return std::move(found.documents);
}

}  // namespace lacuna::cli
