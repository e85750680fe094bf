#include "daemon/context_ranker.h"

#include <algorithm>
#include <bitset>
#include <functional>
#include <unordered_set>

namespace lacuna::daemon {
namespace {

constexpr std::size_t kLookAt = std::size_t{256} << 10;
constexpr std::size_t kAround = 1500;  // bytes on each side of the cursor whose words count
constexpr int kWindowLines = 12;
constexpr std::size_t kBytesPerToken = 3;
constexpr int kWindowsPerSource = 2;
constexpr double kEditedHere = 1.5;  // what somebody works on has to do with what comes next

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Words of every program say nothing about what is near.
bool is_common(std::string_view word) {
  static const std::unordered_set<std::string_view> common = {
      "def",    "return", "self",    "this",    "import", "from",  "for",  "while",    "else",
      "elif",   "int",    "void",    "const",   "auto",   "let",   "var",  "function", "class",
      "struct", "public", "private", "static",  "true",   "false", "None", "null",     "not",
      "and",    "the",    "string",  "include", "std",    "new",   "func"};
  return word.size() < 3 || common.contains(word);
}

// Hashes of the words that may tell two places apart; sorted, each once.
std::vector<std::uint32_t> words_of(std::string_view text) {
  std::vector<std::uint32_t> words;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_word_byte(text[end])) ++end;
    const std::string_view word = text.substr(i, end - i);
    if (!word.empty() && !is_common(word) && !(word[0] >= '0' && word[0] <= '9')) {
      words.push_back(static_cast<std::uint32_t>(std::hash<std::string_view>()(word)));
    }
    i = std::max(end, i + 1);
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

// The words around the cursor.
class Near {
 public:
  explicit Near(std::string_view text) : words_(words_of(text)) {
    for (const std::uint32_t word : words_) maybe_.set(word % kBits);
  }

  bool empty() const { return words_.empty(); }

  // The share of the words of both that both have.
  double similarity(std::span<const std::uint32_t> words) const {
    const auto shared = static_cast<double>(
        std::count_if(words.begin(), words.end(), [&](std::uint32_t word) { return has(word); }));
    if (shared == 0) return 0;
    return shared / (static_cast<double>(words_.size() + words.size()) - shared);
  }

 private:
  static constexpr std::size_t kBits = 1 << 16;

  // Most words of most windows are nowhere near: the bits say so at once.
  bool has(std::uint32_t word) const {
    return maybe_[word % kBits] && std::binary_search(words_.begin(), words_.end(), word);
  }

  std::vector<std::uint32_t> words_;
  std::bitset<kBits> maybe_;
};

struct Window {
  const ContextSource* source;
  std::size_t begin, end;
  double score;
};

void add_windows(const ContextSource& source, const ContextIndex& index, const Near& near,
                 bool same_language, std::vector<Window>& windows) {
  std::vector<Window> own;
  for (const ContextIndex::Window& window : index.windows) {
    double score = near.similarity(window.words);
    if (score <= 0) continue;
    if (same_language) score *= 1.3;
    if (source.same_folder) score *= 1.1;
    if (source.seconds_since_edit < 600) score *= 1.2;
    const bool edited =
        std::any_of(source.edits.begin(), source.edits.end(),
                    [&](std::size_t edit) { return edit >= window.begin && edit < window.end; });
    if (edited) score *= kEditedHere;
    own.push_back({&source, window.begin, window.end, score});
  }
  std::stable_sort(own.begin(), own.end(),
                   [](const Window& a, const Window& b) { return a.score > b.score; });
  std::vector<Window> chosen;
  for (const Window& window : own) {
    const bool overlaps = std::any_of(chosen.begin(), chosen.end(), [&](const Window& other) {
      return window.begin < other.end && other.begin < window.end;
    });
    if (overlaps) continue;
    chosen.push_back(window);
    if (static_cast<int>(chosen.size()) == kWindowsPerSource) break;
  }
  windows.insert(windows.end(), chosen.begin(), chosen.end());
}

}  // namespace

ContextIndex index_context(std::string_view text) {
  text = text.substr(0, kLookAt);
  std::vector<std::size_t> lines;  // their begins, and the end of the last
  for (std::size_t at = 0; at < text.size();
       at = std::min(text.find('\n', at), text.size() - 1) + 1) {
    lines.push_back(at);
  }
  lines.push_back(text.size());
  ContextIndex index;
  for (std::size_t first = 0; first + 1 < lines.size(); first += kWindowLines / 2) {
    const std::size_t last = std::min(first + kWindowLines, lines.size() - 1);
    const std::size_t begin = lines[first];
    const std::size_t end = lines[last];
    index.windows.push_back(
        {.begin = begin, .end = end, .words = words_of(text.substr(begin, end - begin))});
  }
  return index;
}

std::vector<ContextPiece> rank_context(const ContextWish& wish,
                                       std::span<const ContextSource> sources) {
  const std::size_t from = wish.offset - std::min(wish.offset, kAround);
  const Near near(wish.text.substr(from, wish.offset - from + kAround));
  if (near.empty() || wish.max_tokens <= 0) return {};
  std::vector<Window> windows;
  for (const ContextSource& source : sources) {
    const bool same_language = source.language == wish.language;
    if (source.index != nullptr) {
      add_windows(source, *source.index, near, same_language, windows);
    } else {
      add_windows(source, index_context(source.text), near, same_language, windows);
    }
  }
  std::stable_sort(windows.begin(), windows.end(),
                   [](const Window& a, const Window& b) { return a.score > b.score; });
  std::size_t room = static_cast<std::size_t>(wish.max_tokens) * kBytesPerToken;
  std::vector<ContextPiece> pieces;
  for (const Window& window : windows) {
    const std::size_t cost = window.end - window.begin + window.source->path.size() + 4;
    if (cost > room) continue;
    room -= cost;
    const std::string_view text =
        window.source->text.substr(window.begin, window.end - window.begin);
    pieces.push_back({.path = window.source->path, .text = std::string(text)});
  }
  return pieces;
}

}  // namespace lacuna::daemon
