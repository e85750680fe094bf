// Compares the engine's tokenizer with the tokens that tests/npm/generate_tokenizer_cases.mjs
// wrote: for every model directory under the first argument, every line of its cases.jsonl.
// The second argument is qwen2_golden.json, whose cases the published tokenizer must reproduce.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utf8proc.h>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/tokenizer/splitter.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/unicode.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

// Strings that the two sides may rightly disagree about: those with a character that the Unicode
// tables of libutf8proc or PCRE2 on this machine do not have yet. Its class and its composition
// came with a later version of Unicode, which Node has. The generator in turn leaves out what
// Node does not know.
bool is_comparable(const std::string& text) {
  static const std::unique_ptr<Splitter> unassigned =
      std::move(*make_regex_splitter({R"(\p{Cn}+)"}));
  std::vector<std::size_t> ends;
  unassigned->split("x" + text + "x", ends);
  if (ends.size() != 1) return false;  // a match cuts off the x
  for (std::size_t at = 0; at < text.size();) {
    const Char c = decode_char(text, at);
    if (utf8proc_category(static_cast<utf8proc_int32_t>(c.code_point)) == UTF8PROC_CATEGORY_CN) {
      return false;
    }
    at += c.length;
  }
  return true;
}

struct Counts {
  int equal = 0;
  int different = 0;
  int left_out = 0;
};

void print(const char* label, const Ids& ids) {
  std::fprintf(stderr, "  %s", label);
  for (const std::int32_t id : ids) std::fprintf(stderr, " %d", id);
  std::fprintf(stderr, "\n");
}

void compare(const std::string& where, const nlohmann::json& text, const Ids& expected,
             const Ids& actual, Counts& counts) {
  if (expected == actual) {
    ++counts.equal;
  } else if (++counts.different <= 3) {
    std::fprintf(stderr, "%s: %s\n", where.c_str(), text.dump(-1, ' ', true).c_str());
    print("expected", expected);
    print("actual  ", actual);
  }
}

Counts compare_folder(const fs::path& folder) {
  Counts counts;
  const auto tokenizer = load_tokenizer(folder);
  if (!tokenizer) {
    std::fprintf(stderr, "%s\n", tokenizer.error().message.c_str());
    ++counts.different;
    return counts;
  }
  std::ifstream cases(folder / "cases.jsonl");
  std::string line;
  for (int number = 1; std::getline(cases, line); ++number) {
    const auto entry = nlohmann::json::parse(line);
    const auto text = entry["text"].get<std::string>();
    if (!is_comparable(text)) {
      ++counts.left_out;
      continue;
    }
    const std::string where = folder.filename().string() + ":" + std::to_string(number);
    compare(where, entry["text"], entry["text_ids"], (*tokenizer)->encode(text), counts);
    const bool has_control = entry.contains("ids");
    compare(where + " with control tokens", entry["text"],
            has_control ? entry["ids"] : entry["text_ids"], (*tokenizer)->encode_with_control(text),
            counts);
  }
  return counts;
}

Counts compare_golden(const fs::path& folder, const fs::path& golden) {
  Counts counts;
  const auto tokenizer = load_tokenizer(folder);
  if (!tokenizer) return {.different = 1};
  std::ifstream file(golden);
  for (const auto& entry : nlohmann::json::parse(file)) {
    compare(golden.filename().string(), entry["text"], entry["ids"],
            (*tokenizer)->encode(entry["text"].get<std::string>()), counts);
  }
  return counts;
}

bool report(const std::string& name, const Counts& counts) {
  std::printf("%-16s %6d comparisons, %d different, %d strings left out\n", name.c_str(),
              counts.equal + counts.different, counts.different, counts.left_out);
  return counts.different == 0 && counts.equal > 0;
}

}  // namespace
}  // namespace lacuna::engine

int main(int argc, char** argv) {
  namespace engine = lacuna::engine;
  if (argc != 3) {
    std::fprintf(stderr, "usage: tokenizer_parity CASES_DIR QWEN2_GOLDEN_JSON\n");
    return 2;
  }
  bool ok = true;
  int n_folders = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    ok = engine::report(entry.path().filename().string(), engine::compare_folder(entry.path())) &&
         ok;
    ++n_folders;
  }
  const std::filesystem::path published = std::filesystem::path(argv[1]) / "qwen2_5";
  ok = engine::report("golden", engine::compare_golden(published, argv[2])) && ok;
  return ok && n_folders > 0 ? 0 : 1;
}
