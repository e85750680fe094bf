#include "grammar/neutral.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace lacuna::grammar {
namespace {

// Steps of the checker; a million take some 60 ms.
constexpr std::size_t kMostSteps = 1'000'000;
constexpr std::size_t kStepsOfACheck = 100'000;
constexpr int kMostParses = 40;
constexpr std::size_t kLarge = 32 << 10;  // bytes, of which only a part is looked at
constexpr int kMostOfAHole = 12;          // that are tried with what follows

// What closes what was opened in `before` and is open at its end, as far as can be seen without knowing
// the language: only tried.
std::string closers_of(std::string_view before, bool knows_strings) {
  constexpr std::string_view kQuotes = "\"'`";
  std::string closers;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const char c = before[i];
    const bool in_string =
        !closers.empty() && kQuotes.find(closers.back()) != std::string_view::npos;
    if (!closers.empty() && closers.back() == c) {
      closers.pop_back();
    } else if (in_string) {
      if (c == '\\') ++i;
      if (c == '{') closers += '}';  // of an interpolation
      if (c == '\n' && closers.back() != '`') closers.pop_back();
    } else if (c == '(' || c == '[' || c == '{') {
      closers += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (knows_strings && kQuotes.find(c) != std::string_view::npos) {
      closers += c;
    } else if (c == '<' && before.substr(i + 1, 1).find_first_of(" =<") != 0) {
      closers += '>';  // of a generic type, perhaps
    }
  }
  return {closers.rbegin(), closers.rend()};
}

// The line of `at`, and those before it that it may go on.
std::string_view lines_before(std::string_view text, std::size_t at, int lines) {
  std::size_t begin = at;
  for (int i = 0; i < lines && begin != std::string_view::npos; ++i) {
    begin = begin == 0 ? std::string_view::npos : text.rfind('\n', begin - 1);
  }
  begin = begin == std::string_view::npos ? 0 : begin + 1;
  return text.substr(begin, at - begin);
}

// How many brackets are closed on the rest of a line that are not opened there.
std::size_t closed_after(std::string_view text, std::size_t at) {
  std::size_t closed = 0;
  std::size_t open = 0;
  for (const char c : text.substr(at, text.find('\n', at) - at)) {
    if (c == '(' || c == '[' || c == '{') ++open;
    if (c != ')' && c != ']' && c != '}') continue;
    if (open > 0) {
      --open;
    } else {
      ++closed;
    }
  }
  return closed;
}

// Ways to close what is open before a hole. First all that was opened on its line and is not closed
// behind it; then, if `also_unlikely`, more and less of it, and what was opened on lines before.
std::vector<std::string> closings_at(std::string_view text, Span hole, bool also_unlikely) {
  const std::size_t at = hole.begin;
  constexpr int kLines = 6;
  std::vector<std::string> closings;
  const auto add = [&](std::string closing) {
    if (std::find(closings.begin(), closings.end(), closing) == closings.end()) {
      closings.push_back(std::move(closing));
    }
  };
  const std::string all = closers_of(lines_before(text, at, 1), true);
  std::string brackets = all;
  std::erase(brackets, '>');
  const std::size_t closed = std::min(closed_after(text, hole.end), brackets.size());
  add(brackets.substr(0, brackets.size() - closed));
  add(all);
  std::string earlier = closers_of(lines_before(text, at, kLines), true);
  std::erase(earlier, '>');
  // A block that began earlier goes on.
  earlier.resize(
      std::min(earlier.find('}', std::min(brackets.size(), earlier.size())), earlier.size()));
  add(earlier);
  if (!also_unlikely) return closings;
  add(brackets);
  for (const std::string& some : {brackets, all, earlier}) {
    for (std::size_t n = some.size(); n-- > 0;) add(some.substr(0, n));
  }
  add(closers_of(lines_before(text, at, 1), false));
  return closings;
}

// The lines around the holes from one that begins at the margin, behind a blank line, to the next such
// line: mostly whole functions or classes.
Span region_around(std::string_view text, std::span<const Span> holes) {
  Span region{0, text.size()};
  for (std::size_t at = text.find("\n\n"); at != std::string_view::npos;
       at = text.find("\n\n", at + 1)) {
    const std::size_t line = at + 2;
    if (line >= text.size() ||
        std::string_view(" \t\r\n)]}").find(text[line]) != std::string_view::npos) {
      continue;
    }
    if (line <= holes.front().begin) region.begin = line;
    if (line > holes.back().end) {
      region.end = line;
      break;
    }
  }
  return region;
}

}  // namespace

std::vector<std::string> neutral_at(std::string_view text, Span hole, bool also_unlikely) {
  // The likelier first.
  static constexpr std::string_view kBegins[] = {"",
                                                 "x",
                                                 "x x",
                                                 "x()",
                                                 " x",
                                                 "(x)",
                                                 "= x",
                                                 "x = x",
                                                 ", x",
                                                 "; x",
                                                 "x; x",
                                                 "; ;",
                                                 ": x",
                                                 "x: x",
                                                 "in x",
                                                 "x in x",
                                                 "()",
                                                 ".x",
                                                 ".x()",
                                                 "x => x",
                                                 "=> x",
                                                 "import x",
                                                 "import *",
                                                 "x import x",
                                                 "x import *",
                                                 ": x = x",
                                                 "x := x",
                                                 ":= x",
                                                 "? x : x",
                                                 "; x;",
                                                 "x; x; x",
                                                 "x x = x",
                                                 "x: x = x",
                                                 "(x) = x",
                                                 "(x x)",
                                                 "class x",
                                                 "struct",
                                                 "x: x in x",
                                                 "x x: x",
                                                 "from \"x\"",
                                                 "from x import x",
                                                 "<x> = x",
                                                 "= x extends x"};
  static constexpr std::string_view kEnds[] = {
      ";",  "",       " {",       ":",         ",",       " {}",         "; x) {", "; x)",
      "(",  " => x,", ", x => {", ", () => {", "() => {", "x => {",      " x() {", " : x",
      "({", "[",      "([",       " x;",       " = x;",   " from \"x\";"};
  // What is open stays so: lines below close it.
  static constexpr std::string_view kGoingOn[] = {
      "() => {", "x() {", ", () => {", "x => {", ", x => {", "(",   "x(",  "({", "#endif",
      "x({",     ", {",   "{",         "[",      "= {",      "= (", "= [", "x,"};
  const std::vector<std::string> closings = closings_at(text, hole, also_unlikely);
  std::vector<std::string> all;
  std::unordered_set<std::string> known;
  const auto add = [&](std::string neutral) {
    if (known.insert(neutral).second) all.push_back(std::move(neutral));
  };
  const std::size_t n = std::size(kBegins) + std::size(kEnds) + closings.size();
  for (std::size_t rank = 0; rank < n; ++rank) {
    for (std::size_t c = 0; c < closings.size() && c <= rank; ++c) {
      for (std::size_t e = 0; e < std::size(kEnds) && e + c <= rank; ++e) {
        const std::size_t b = rank - c - e;
        if (b >= std::size(kBegins)) continue;
        add(std::string(kBegins[b]) + closings[c] + std::string(kEnds[e]));
      }
    }
    if (rank < std::size(kNeutral)) add(std::string(kNeutral[rank]));
    if (rank < std::size(kGoingOn)) add(std::string(kGoingOn[rank]));
  }
  return all;
}

NeutralSearch::NeutralSearch(std::string_view language, std::string_view text,
                             std::span<const Span> holes, std::function<bool()> is_over)
    : text_(text),
      holes_(holes.begin(), holes.end()),
      is_over_(std::move(is_over)),
      checker_(HoleChecker::make(language, {.budget = kStepsOfACheck})),
      parses_left_(kMostParses),
      fills_(holes.size()) {}

// With fills in the first `known` holes.
Verdict NeutralSearch::ask(std::size_t known) {
  if (!checker_) return Verdict::Unknown;
  std::vector<Piece> pieces;
  std::size_t at = region_.begin;
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    pieces.push_back({.text = text_.substr(at, holes_[i].begin - at)});
    pieces.push_back({.text = fills_[i], .hole = i >= known});
    at = holes_[i].end;
  }
  pieces.push_back({.text = text_.substr(at, region_.end - at)});
  const Verdict verdict = checker_->check(pieces);
  steps_ += checker_->work().steps;
  return verdict;
}

bool NeutralSearch::fill_from(std::size_t hole) {
  if (hole == holes_.size()) {
    --parses_left_;
    return parses_(fills_);
  }
  int possible = 0;
  for (std::string& neutral : neutral_at(text_, holes_[hole], also_unlikely_)) {
    if (is_over_() || steps_ > kMostSteps || parses_left_ == 0) break;
    fills_[hole] = std::move(neutral);
    if (ask(hole + 1) != Verdict::Possible) continue;
    if (fill_from(hole + 1)) return true;
    if (++possible == kMostOfAHole && hole + 1 < holes_.size()) break;
  }
  fills_[hole].clear();
  return false;
}

bool NeutralSearch::run(const std::function<bool(const std::vector<std::string>&)>& parses) {
  if (holes_.empty()) return false;
  parses_ = parses;
  region_ = {0, text_.size()};
  if (text_.size() > kLarge) region_ = region_around(text_, holes_);
  const Verdict verdict = ask(0);
  if (text_.size() <= kLarge) verdict_ = verdict;
  if (verdict != Verdict::Possible) return false;
  // What is unlikely in one hole may only be possible because of something unlikely in the next.
  for (const bool also_unlikely : {false, true}) {
    also_unlikely_ = also_unlikely;
    if (fill_from(0)) return true;
  }
  return false;
}

}  // namespace lacuna::grammar
