#include "daemon/context_ranker.h"

#include <algorithm>
#include <unordered_set>

namespace lacuna::daemon {
namespace {

constexpr std::size_t kLookAt = std::size_t{256} << 10;
constexpr std::size_t kAround = 1500;  // bytes on each side of the cursor whose words count
constexpr int kWindowLines = 12;
constexpr std::size_t kBytesPerToken = 3;
constexpr int kWindowsPerSource = 2;
constexpr double kEditedHere = 1.5;  // what somebody works on has to do with what comes next

using Words = std::unordered_set<std::string_view>;

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Words of every program say nothing about what is near.
bool is_common(std::string_view word) {
  static const Words common = {
      "def",    "return", "self",    "this",    "import", "from",  "for",  "while",    "else",
      "elif",   "int",    "void",    "const",   "auto",   "let",   "var",  "function", "class",
      "struct", "public", "private", "static",  "true",   "false", "None", "null",     "not",
      "and",    "the",    "string",  "include", "std",    "new",   "func"};
  return word.size() < 3 || common.contains(word);
}

void add_words(std::string_view text, Words& words) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_word_byte(text[end])) ++end;
    const std::string_view word = text.substr(i, end - i);
    if (!word.empty() && !is_common(word) && !(word[0] >= '0' && word[0] <= '9'))
      words.insert(word);
    i = std::max(end, i + 1);
  }
}

struct Window {
  const ContextSource* source;
  std::string_view text;
  double score;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

double similarity(const Words& near, std::string_view window) {
  Words words;
  add_words(window, words);
  if (words.empty()) return 0;
  const auto shared = static_cast<double>(std::count_if(
      words.begin(), words.end(), [&](std::string_view word) { return near.contains(word); }));
  return shared / (static_cast<double>(near.size() + words.size()) - shared);
}

void add_windows(const ContextSource& source, const Words& near, bool same_language,
                 std::vector<Window>& windows) {
  const std::vector<std::string_view> lines = lines_of(source.text.substr(0, kLookAt));
  std::vector<Window> own;
  for (std::size_t first = 0; first < lines.size(); first += kWindowLines / 2) {
    const std::size_t last = std::min(first + kWindowLines, lines.size()) - 1;
    const char* begin = lines[first].data();
    const char* end = lines[last].data() + lines[last].size();
    const std::string_view text(begin, static_cast<std::size_t>(end - begin));
    const auto offset = static_cast<std::size_t>(begin - source.text.data());
    const bool edited = std::any_of(
        source.edits.begin(), source.edits.end(),
        [&](std::size_t edit) { return edit >= offset && edit < offset + text.size(); });
    if (source.only_edits && !edited) continue;
    double score = similarity(near, text);
    if (score <= 0) continue;
    if (same_language) score *= 1.3;
    if (source.same_folder) score *= 1.1;
    if (source.seconds_since_edit < 600) score *= 1.2;
    if (edited) score *= kEditedHere;
    own.push_back({&source, text, score});
  }
  std::stable_sort(own.begin(), own.end(),
                   [](const Window& a, const Window& b) { return a.score > b.score; });
  int taken = 0;
  std::vector<std::string_view> chosen;
  for (const Window& window : own) {
    const bool overlaps = std::any_of(chosen.begin(), chosen.end(), [&](std::string_view other) {
      return window.text.data() < other.data() + other.size() &&
             other.data() < window.text.data() + window.text.size();
    });
    if (overlaps) continue;
    chosen.push_back(window.text);
    windows.push_back(window);
    if (++taken == kWindowsPerSource) break;
  }
}

}  // namespace

std::vector<ContextPiece> rank_context(const ContextWish& wish,
                                       std::span<const ContextSource> sources) {
  const std::size_t from = wish.offset - std::min(wish.offset, kAround);
  Words near;
  add_words(wish.text.substr(from, wish.offset - from + kAround), near);
  if (near.empty() || wish.max_tokens <= 0) return {};
  std::vector<Window> windows;
  for (const ContextSource& source : sources) {
    add_windows(source, near, source.language == wish.language, windows);
  }
  std::stable_sort(windows.begin(), windows.end(),
                   [](const Window& a, const Window& b) { return a.score > b.score; });
  std::size_t room = static_cast<std::size_t>(wish.max_tokens) * kBytesPerToken;
  std::vector<ContextPiece> pieces;
  for (const Window& window : windows) {
    const std::size_t cost = window.text.size() + window.source->path.size() + 4;
    if (cost > room) continue;
    room -= cost;
    pieces.push_back({.path = window.source->path, .text = std::string(window.text)});
  }
  return pieces;
}

}  // namespace lacuna::daemon
