#include "cli/eval/holes.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "support/language.h"
#include "support/text.h"

namespace lacuna::cli {
namespace {

constexpr std::size_t kLeastWord = 3;
constexpr std::size_t kLeastText = 4;  // of an expression or a line, in characters
constexpr std::size_t kMostExpression = 60;
constexpr std::size_t kMostLine = 90;
constexpr std::size_t kMostLines = 180;
constexpr std::size_t kLeastLineCount = 2;
constexpr std::size_t kMostLineCount = 6;
constexpr std::size_t kLeastFileLines = 12;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  // Bytes of other alphabets belong to words.
  return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_white(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f'; }

// A line without its indentation and the white space at its end.
struct CodeLine {
  std::size_t begin;
  std::size_t end;
  std::size_t indent;  // bytes
  bool comment;

  bool empty() const { return begin == end; }
  std::size_t size() const { return end - begin; }
};

bool begins_as_comment(std::string_view line, std::string_view line_comment) {
  if (!line_comment.empty() && line.starts_with(line_comment)) return true;
  constexpr std::array<std::string_view, 6> kOpenings = {"//", "/*", "*", "\"\"\"", "'''", "<!--"};
  return std::any_of(kOpenings.begin(), kOpenings.end(),
                     [&](std::string_view opening) { return line.starts_with(opening); });
}

std::vector<CodeLine> lines_of(std::string_view text, std::string_view line_comment) {
  std::vector<CodeLine> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t line_end = std::min(text.find('\n', at), text.size());
    std::size_t begin = at;
    std::size_t end = line_end;
    while (begin < end && is_white(text[begin])) ++begin;
    while (end > begin && is_white(text[end - 1])) --end;
    const std::string_view code = text.substr(begin, end - begin);
    lines.push_back({.begin = begin,
                     .end = end,
                     .indent = begin - at,
                     .comment = begins_as_comment(code, line_comment)});
    at = line_end + 1;
  }
  return lines;
}

bool is_line_answer(std::string_view text, const CodeLine& line) {
  if (line.comment || line.size() < kLeastText || line.size() > kMostLine) return false;
  const std::string_view code = text.substr(line.begin, line.size());
  return std::any_of(code.begin(), code.end(), [](char c) { return is_word(c) && c != '_'; });
}

// Where the bracket that opens at `open` closes on this line, or npos. Brackets in quotes do not
// count. `until` is one past what is looked at.
std::size_t closing(std::string_view text, std::size_t open, std::size_t until) {
  std::string expected;
  char quote = 0;
  for (std::size_t i = open; i < until; ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'' || c == '`') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      expected += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (c == ')' || c == ']' || c == '}') {
      if (expected.empty() || expected.back() != c) return std::string_view::npos;
      expected.pop_back();
      if (expected.empty()) return i;
    }
  }
  return std::string_view::npos;
}

bool is_expression(std::string_view text) {
  if (text.size() < kLeastText || text.size() > kMostExpression) return false;
  if (std::all_of(text.begin(), text.end(), is_word)) return false;
  // Within a pair of brackets of its own everything must be in pairs.
  const std::string bracketed = "(" + std::string(text) + ")";
  return closing(bracketed, 0, bracketed.size()) == bracketed.size() - 1;
}

void add_expression(std::string_view text, std::size_t begin, std::size_t end,
                    std::vector<ByteRange>& found) {
  while (begin < end && is_white(text[begin])) ++begin;
  while (end > begin && is_white(text[end - 1])) --end;
  if (is_expression(text.substr(begin, end - begin))) found.push_back({begin, end});
}

// The end of a statement's expression that reaches to the end of its line.
std::size_t statement_end(std::string_view text, const CodeLine& line) {
  const char last = text[line.end - 1];
  return last == ';' || last == ',' || last == '{' || last == ':' ? line.end - 1 : line.end;
}

void add_expressions(std::string_view text, const CodeLine& line, std::vector<ByteRange>& found) {
  if (line.comment || line.empty()) return;
  for (std::size_t i = line.begin; i < line.end; ++i) {
    const std::string_view rest = text.substr(i, line.end - i);
    const char before = i > line.begin ? text[i - 1] : '\n';
    if (text[i] == '(' || text[i] == '[') {
      const std::size_t close = closing(text, i, line.end);
      if (close != std::string_view::npos) add_expression(text, i + 1, close, found);
    } else if (rest.starts_with("= ") && (before == ' ' || before == ':')) {
      add_expression(text, i + 2, statement_end(text, line), found);
    } else if (rest.starts_with("=> ")) {
      add_expression(text, i + 3, statement_end(text, line), found);
    } else if (rest.starts_with("return ") && !is_word(before)) {
      add_expression(text, i + 7, statement_end(text, line), found);
    }
  }
}

void add_words(std::string_view text, const CodeLine& line, std::vector<ByteRange>& found) {
  if (line.comment) return;
  for (std::size_t i = line.begin; i < line.end;) {
    std::size_t end = i;
    while (end < line.end && is_word(text[end])) ++end;
    if (end - i >= kLeastWord && !is_digit(text[i])) found.push_back({i, end});
    i = std::max(end, i + 1);
  }
}

void add_line_runs(std::string_view text, std::span<const CodeLine> lines, std::size_t first,
                   std::vector<ByteRange>& found) {
  if (!is_line_answer(text, lines[first])) return;
  std::size_t count = 1;
  for (std::size_t i = first + 1; i < lines.size() && count < kMostLineCount; ++i) {
    const CodeLine& line = lines[i];
    if (line.empty()) continue;
    if (line.comment || line.indent < lines[first].indent) return;
    if (line.end - lines[first].begin > kMostLines) return;
    if (++count >= kLeastLineCount) found.push_back({lines[first].begin, line.end});
  }
}

std::vector<ByteRange> tokens_in(std::string_view text, std::span<const CodeLine> lines,
                                 const engine::Tokenizer& tokenizer) {
  std::vector<ByteRange> found;
  std::size_t at = 0;
  std::size_t line = 0;
  for (const std::int32_t token : tokenizer.encode(text)) {
    const std::string bytes = tokenizer.decode({&token, 1});
    // A tokenizer that changes the text: from here on places are unknown.
    if (text.substr(at, bytes.size()) != bytes) break;
    const std::size_t end = at + bytes.size();
    const bool white =
        std::all_of(bytes.begin(), bytes.end(), [](char c) { return is_white(c) || c == '\n'; });
    while (line < lines.size() && lines[line].end < end) ++line;
    const bool comment = line < lines.size() && lines[line].comment;
    if (!white && !comment && is_valid_utf8(bytes)) found.push_back({at, end});
    at = end;
  }
  return found;
}

const Language* language_of(const SourceDocument& document) {
  return language_named(document.language);
}

// Holes of one file in the order in which they are asked for.
std::vector<ByteRange> drawn_from(const SourceDocument& document, HoleKind kind, std::size_t limit,
                                  std::uint64_t seed, const engine::Tokenizer& tokenizer) {
  const Language* language = language_of(document);
  std::vector<ByteRange> holes =
      holes_in(document.text, kind, language == nullptr ? "" : language->line_comment, tokenizer);
  std::mt19937_64 random(
      name_hash(std::to_string(seed) + " " + std::string(name_of(kind)) + " " + document.name));
  std::vector<ByteRange> drawn;
  for (std::size_t i = 0; i < holes.size() && drawn.size() < limit; ++i) {
    std::swap(holes[i], holes[i + random() % (holes.size() - i)]);
    const ByteRange& place = holes[i];
    const std::string_view answer =
        std::string_view(document.text).substr(place.begin, place.end - place.begin);
    // Alone, a token of a text may be several.
    if (kind == HoleKind::Token && tokenizer.encode(answer).size() != 1) continue;
    drawn.push_back(place);
  }
  return drawn;
}

using Files = std::vector<const SourceDocument*>;

void add_cases(const Files& files, HoleKind kind, std::size_t limit, std::uint64_t seed,
               const engine::Tokenizer& tokenizer, std::vector<HoleCase>& cases) {
  std::vector<std::vector<ByteRange>> drawn;
  std::size_t n = 0;
  for (std::size_t round = 0, most = 1; round < most; ++round) {
    for (std::size_t i = 0; i < files.size() && n < limit; ++i) {
      if (round == 0) {
        drawn.push_back(drawn_from(*files[i], kind, limit, seed, tokenizer));
        most = std::max(most, drawn[i].size());
      }
      if (round >= drawn[i].size()) continue;
      const ByteRange place = drawn[i][round];
      cases.push_back({.document = files[i],
                       .kind = kind,
                       .place = place,
                       .answer = files[i]->text.substr(place.begin, place.end - place.begin)});
      ++n;
    }
  }
}

}  // namespace

std::string_view name_of(HoleKind kind) {
  switch (kind) {
    case HoleKind::Token:
      return "token";
    case HoleKind::Identifier:
      return "identifier";
    case HoleKind::Expression:
      return "expression";
    case HoleKind::Line:
      return "line";
    case HoleKind::Lines:
      return "lines";
  }
  return "unknown";
}

std::optional<HoleKind> hole_kind_named(std::string_view name) {
  for (const HoleKind kind : kHoleKinds) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
}

std::vector<ByteRange> holes_in(std::string_view text, HoleKind kind, std::string_view line_comment,
                                const engine::Tokenizer& tokenizer) {
  const std::vector<CodeLine> lines = lines_of(text, line_comment);
  if (kind == HoleKind::Token) return tokens_in(text, lines, tokenizer);
  std::vector<ByteRange> found;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    switch (kind) {
      case HoleKind::Token:
        break;
      case HoleKind::Identifier:
        add_words(text, lines[i], found);
        break;
      case HoleKind::Expression:
        add_expressions(text, lines[i], found);
        break;
      case HoleKind::Line:
        if (is_line_answer(text, lines[i])) found.push_back({lines[i].begin, lines[i].end});
        break;
      case HoleKind::Lines:
        add_line_runs(text, lines, i, found);
        break;
    }
  }
  // `= f(x)` and the like may be found from both of their ends.
  const auto by_place = [](const ByteRange& a, const ByteRange& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  };
  std::sort(found.begin(), found.end(), by_place);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<HoleCase> choose_holes(std::span<const SourceDocument> documents,
                                   std::span<const HoleKind> kinds, int limit, std::uint64_t seed,
                                   const engine::Tokenizer& tokenizer) {
  std::map<std::string_view, Files> by_language;
  for (const SourceDocument& it : documents) {
    const auto lines = static_cast<std::size_t>(std::count(it.text.begin(), it.text.end(), '\n'));
    if (lines >= kLeastFileLines) by_language[it.language].push_back(&it);
  }
  std::vector<HoleCase> cases;
  for (auto& [language, files] : by_language) {
    const auto order = [&](const SourceDocument* document) {
      return std::pair(name_hash(std::to_string(seed) + " " + document->name), document->name);
    };
    std::sort(files.begin(), files.end(),
              [&](const auto* a, const auto* b) { return order(a) < order(b); });
    for (const HoleKind kind : kinds) {
      add_cases(files, kind, static_cast<std::size_t>(limit), seed, tokenizer, cases);
    }
  }
  return cases;
}

}  // namespace lacuna::cli
