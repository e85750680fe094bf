#include "daemon/http/fim_prompt.h"

#include <algorithm>
#include <array>

namespace lacuna::daemon::http {
namespace {

struct Family {
  std::string_view prefix;
  std::string_view suffix;
  std::string_view middle;
  bool spaced = false;  // one space belongs to each sentinel
};

constexpr std::array<Family, 7> kFamilies = {{
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
    {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},
    {"<PRE>", "<SUF>", "<MID>", true},
    {"<\uFF5Cfim\u2581begin\uFF5C>", "<\uFF5Cfim\u2581hole\uFF5C>", "<\uFF5Cfim\u2581end\uFF5C>"},
    {"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"},
    {"<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"},
}};

// What opens another file, of whichever family.
constexpr std::array<std::string_view, 3> kFileSeparators = {"<|file_sep|>", "<|file_separator|>",
                                                             "<file_sep>"};
constexpr std::string_view kCodestralSuffix = "[SUFFIX]";
constexpr std::string_view kCodestralPrefix = "[PREFIX]";
constexpr std::string_view kPlusLine = "+++++ ";
constexpr std::size_t kMaxPieces = 64;

std::string_view without_spaces(std::string_view text, bool front, bool back) {
  if (front && !text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (back && !text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Whether a line names a file rather than being the first of its text.
bool is_path(std::string_view line) {
  return line.size() < 512 && line.find_first_of("./\\") != std::string_view::npos &&
         line.find_first_of(" \t;(){}=\"'") == std::string_view::npos;
}

// A file's text, with its name in the first line or without. A name alone is that of the file with
// the hole.
void add_file(std::string_view file, FimPrompt& prompt) {
  const std::size_t line_end = file.find('\n');
  std::string_view name = file.substr(0, line_end);
  if (!name.empty() && name.back() == '\r') name.remove_suffix(1);
  const bool named = is_path(name);
  std::string_view body = file;
  if (named) {
    body = line_end == std::string_view::npos ? std::string_view() : file.substr(line_end + 1);
  } else {
    name = {};
  }
  if (is_blank(body)) {
    prompt.path = name;
  } else if (prompt.context.size() < kMaxPieces) {
    prompt.context.push_back({.path = std::string(name), .text = std::string(body)});
  }
}

void add_files(std::string_view text, std::string_view separator, FimPrompt& prompt) {
  std::size_t at = text.find(separator);
  while (at != std::string_view::npos) {
    const std::size_t begin = at + separator.size();
    at = text.find(separator, begin);
    add_file(text.substr(begin, at == std::string_view::npos ? at : at - begin), prompt);
  }
}

// What stood before the sentinels: other files, or lines as CodeGeeX wants them.
void add_before(std::string_view before, FimPrompt& prompt) {
  for (const std::string_view separator : kFileSeparators) {
    if (before.find(separator) == std::string_view::npos) continue;
    return add_files(before, separator, prompt);
  }
  constexpr std::string_view kPath = "###PATH:";
  if (const std::size_t at = before.find(kPath); at != std::string_view::npos) {
    const std::string_view rest = before.substr(at + kPath.size());
    const std::string_view path = without_spaces(rest.substr(0, rest.find('\n')), true, false);
    if (is_path(path)) prompt.path = path;
    before = before.substr(0, at);
  }
  if (!is_blank(before)) prompt.context.push_back({.path = {}, .text = std::string(before)});
}

// StarCoder names the file at the start of the prefix.
void take_name(FimPrompt& prompt) {
  constexpr std::string_view kFileName = "<filename>";
  if (prompt.prefix.compare(0, kFileName.size(), kFileName) != 0) return;
  const std::size_t line_end = std::min(prompt.prefix.find('\n'), prompt.prefix.size());
  prompt.path = prompt.prefix.substr(kFileName.size(), line_end - kFileName.size());
  prompt.prefix.erase(0, std::min(line_end + 1, prompt.prefix.size()));
}

std::optional<FimPrompt> split(std::string_view prompt, const Family& family) {
  const std::size_t prefix = prompt.find(family.prefix);
  const std::size_t suffix = prompt.find(family.suffix);
  // The last one: the text around the hole may hold a sentinel, too.
  const std::size_t middle = prompt.rfind(family.middle);
  if (std::max({prefix, suffix, middle}) == std::string_view::npos) return {};
  const std::size_t prefix_begin = prefix + family.prefix.size();
  const std::size_t suffix_begin = suffix + family.suffix.size();
  if (middle < std::max(prefix_begin, suffix_begin)) return {};
  const bool suffix_first = suffix < prefix;
  const std::size_t prefix_end = suffix_first ? middle : suffix;
  const std::size_t suffix_end = suffix_first ? prefix : middle;
  FimPrompt out;
  out.prefix = without_spaces(prompt.substr(prefix_begin, prefix_end - prefix_begin), family.spaced,
                              family.spaced);
  out.suffix =
      without_spaces(prompt.substr(suffix_begin, suffix_end - suffix_begin), false, family.spaced);
  add_before(prompt.substr(0, std::min(prefix, suffix)), out);
  take_name(out);
  return out;
}

// Codestral has no middle, and its sentinels are words that a program may hold: they count only
// where the suffix's opens the prompt.
std::optional<FimPrompt> split_codestral(std::string_view prompt) {
  if (prompt.substr(0, kCodestralSuffix.size()) != kCodestralSuffix) return {};
  prompt.remove_prefix(kCodestralSuffix.size());
  const std::size_t prefix = prompt.find(kCodestralPrefix);
  if (prefix == std::string_view::npos) return {};
  return split_files(prompt.substr(prefix + kCodestralPrefix.size()), prompt.substr(0, prefix));
}

}  // namespace

std::optional<FimPrompt> parse_fim_prompt(std::string_view prompt) {
  for (const Family& family : kFamilies) {
    if (std::optional<FimPrompt> parsed = split(prompt, family)) return parsed;
  }
  return split_codestral(prompt);
}

FimPrompt split_files(std::string_view prefix, std::string_view suffix) {
  FimPrompt out;
  out.suffix = suffix;
  while (prefix.substr(0, kPlusLine.size()) == kPlusLine) {
    const std::size_t line_end = prefix.find('\n');
    if (line_end == std::string_view::npos) break;
    const std::string path(prefix.substr(kPlusLine.size(), line_end - kPlusLine.size()));
    const std::size_t next = prefix.find("\n+++++ ", line_end);
    if (next == std::string_view::npos) {
      out.path = path;
      prefix.remove_prefix(line_end + 1);
      break;
    }
    if (out.context.size() < kMaxPieces && next > line_end) {
      const std::string_view text = prefix.substr(line_end + 1, next - line_end - 1);
      out.context.push_back({.path = path, .text = std::string(text)});
    }
    prefix.remove_prefix(next + 1);
  }
  out.prefix = prefix;
  return out;
}

void take(FimPrompt prompt, Completion& completion) {
  completion.prefix = std::move(prompt.prefix);
  completion.suffix = std::move(prompt.suffix);
  completion.context = std::move(prompt.context);
  completion.path = std::move(prompt.path);
}

}  // namespace lacuna::daemon::http
