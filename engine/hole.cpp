#include "engine/hole.h"

#include <algorithm>
#include <charconv>

#include "support/text.h"

namespace lacuna::engine {
namespace {

constexpr std::string_view kOpen = "\u27E6?";  // ⟦?
constexpr std::string_view kClose = "\u27E7";  // ⟧

// "LINE:COLUMN" as editors show it: from 1, columns in code points. Only errors need it, so the
// text is searched each time.
std::string place_of(std::string_view text, std::size_t offset) {
  const LineIndex lines(text);
  const std::size_t line = lines.line_of(offset);
  const std::size_t begin = lines.line_begin(line);
  return std::to_string(line + 1) + ":" +
         std::to_string(count_code_points(text.substr(begin, offset - begin)) + 1);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// What stands between `⟦?` and `⟧`: nothing, `N`, `: hint` or `N: hint`. False when it is none.
bool parse_body(std::string_view body, int max_tokens, Hole& hole) {
  const std::size_t colon = body.find(':');
  const std::string_view number = body.substr(0, colon);
  if (!number.empty()) {
    int tokens = 0;
    const auto [end, error] = std::from_chars(number.begin(), number.end(), tokens);
    if (error != std::errc() || end != number.end()) return false;
    if (tokens < 1 || tokens > max_tokens) return false;
    hole.tokens = tokens;
  }
  if (colon != std::string_view::npos) hole.hint = trimmed(body.substr(colon + 1));
  return true;
}

// Whether a text may be cut here: not inside a UTF-8 sequence, not between CR and LF.
bool is_boundary(std::string_view text, std::size_t offset) {
  if (offset == 0 || offset >= text.size()) return true;
  if (text[offset - 1] == '\r' && text[offset] == '\n') return false;
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, offset); ++back) {
    if (utf8_sequence_length(text.substr(offset - back)) > back) return false;
  }
  return true;
}

Result<void> check_hole(std::string_view text, const Hole& hole) {
  if (hole.begin > hole.end) {
    return fail(ErrorCode::InvalidInput, "a hole ends at byte " + std::to_string(hole.end) +
                                             ", before its begin at byte " +
                                             std::to_string(hole.begin));
  }
  if (hole.end > text.size()) {
    return fail(ErrorCode::InvalidInput, "a hole ends at byte " + std::to_string(hole.end) +
                                             ", but the text has only " +
                                             std::to_string(text.size()) + " bytes");
  }
  for (const std::size_t offset : {hole.begin, hole.end}) {
    if (is_boundary(text, offset)) continue;
    return fail(ErrorCode::InvalidInput, "a hole may not begin or end inside a character (byte " +
                                             std::to_string(offset) + ")");
  }
  return {};
}

}  // namespace

Result<std::vector<Hole>> find_markers(std::string_view text, int max_tokens) {
  std::vector<Hole> holes;
  std::size_t open = text.find(kOpen);
  while (open != std::string_view::npos) {
    const std::size_t body = open + kOpen.size();
    const std::size_t line_end = std::min(text.find_first_of("\r\n", body), text.size());
    const std::size_t next = text.find(kOpen, body);
    const std::size_t close = text.find(kClose, body);
    if (close == std::string_view::npos || close >= std::min(line_end, next)) {
      return fail(ErrorCode::InvalidInput, "the marker at " + place_of(text, open) +
                                               " is not closed on its line: \u27E7 is missing");
    }
    Hole hole;
    hole.begin = open;
    hole.end = close + kClose.size();
    if (!parse_body(text.substr(body, close - body), max_tokens, hole)) {
      return fail(
          ErrorCode::InvalidInput,
          "the marker at " + place_of(text, open) +
              " is none of \u27E6?\u27E7, \u27E6?: hint\u27E7 and \u27E6?N\u27E7 with N from "
              "1 to " +
              std::to_string(max_tokens));
    }
    open = text.find(kOpen, hole.end);
    holes.push_back(std::move(hole));
  }
  return holes;
}

Result<void> check_and_sort(std::string_view text, std::vector<Hole>& holes) {
  for (const Hole& hole : holes) {
    if (Result<void> ok = check_hole(text, hole); !ok) return ok;
  }
  std::stable_sort(holes.begin(), holes.end(), [](const Hole& a, const Hole& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  for (std::size_t i = 1; i < holes.size(); ++i) {
    const Hole& before = holes[i - 1];
    const bool same_place = before.begin == holes[i].begin && before.end == holes[i].end;
    if (holes[i].begin >= before.end && !same_place) continue;
    return fail(ErrorCode::InvalidInput, "two holes overlap at " + place_of(text, holes[i].begin));
  }
  return {};
}

}  // namespace lacuna::engine
