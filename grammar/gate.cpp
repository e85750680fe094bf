#include "grammar/gate.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "grammar/layout.h"
#include "grammar/python_rules.h"

namespace lacuna::grammar {
namespace {

// What may stand in a hole to see whether the text around it is sound.
constexpr std::string_view kNeutral[] = {"", "x", "pass", "x;", "{}", ": pass", "x)", "()", "1"};

constexpr std::size_t kShownBytes = 24;

std::string shown(std::string_view text) {
  const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
  return "`" + std::string(text.substr(0, std::min(end, kShownBytes))) + "`";
}

std::string describe(const SyntaxError& error, std::string_view text) {
  if (!error.missing.empty()) return "`" + error.missing + "` is missing";
  return "unexpected " + shown(text.substr(error.begin, error.end - error.begin));
}

std::size_t distance(Span a, Span b) {
  if (a.end < b.begin) return b.begin - a.end;
  if (b.end < a.begin) return a.begin - b.end;
  return 0;
}

}  // namespace

Gate::Gate(const Grammar& grammar, std::string_view text, std::vector<Span> holes)
    : grammar_(grammar), text_(text), holes_(std::move(holes)), parser_(grammar) {
  find_old_errors();
}

std::string Gate::filled(std::span<const std::string> fills, std::vector<Span>& places) const {
  std::string result;
  places.clear();
  std::size_t at = 0;
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    result += text_.substr(at, holes_[i].begin - at);
    places.push_back({result.size(), result.size() + fills[i].size()});
    result += fills[i];
    at = holes_[i].end;
  }
  result += text_.substr(at);
  return result;
}

std::optional<Gate::Mark> Gate::mark_of(Span span, const std::string& what,
                                        std::span<const Span> places) const {
  Mark mark{.begin_gap = 0, .begin = span.begin, .end_gap = 0, .end = span.end, .what = what};
  for (const Span& place : places) {
    // Touching a hole counts as in it.
    if (span.begin >= place.begin && span.begin <= place.end) return std::nullopt;
    if (span.end >= place.begin && span.end <= place.end) return std::nullopt;
    if (span.begin > place.end) {
      ++mark.begin_gap;
      mark.begin = span.begin - place.end;
    }
    if (span.end > place.end) {
      ++mark.end_gap;
      mark.end = span.end - place.end;
    }
  }
  return mark;
}

const SyntaxTree* Gate::parse_next(std::string text, bool anew) {
  if (anew) last_tree_.reset();
  if (last_tree_ && last_text_ == text) return &*last_tree_;
  if (last_tree_) {
    const std::string_view before = last_text_;
    const auto head = std::mismatch(before.begin(), before.end(), text.begin(), text.end());
    const auto begin = static_cast<std::size_t>(head.first - before.begin());
    const std::size_t most = std::min(before.size(), text.size()) - begin;
    std::size_t tail = 0;
    while (tail < most && before[before.size() - 1 - tail] == text[text.size() - 1 - tail]) ++tail;
    last_tree_->edit(before, begin, before.size() - tail,
                     std::string_view(text).substr(begin, text.size() - tail - begin));
  }
  last_text_ = std::move(text);
  last_tree_ = parser_.parse(last_text_, last_tree_ ? &*last_tree_ : nullptr);
  return last_tree_ ? &*last_tree_ : nullptr;
}

std::vector<Gate::Fault> Gate::faults(std::span<const std::string> fills, std::vector<Span>& places,
                                      bool anew) {
  const SyntaxTree* tree = parse_next(filled(fills, places), anew);
  const std::string& text = last_text_;
  std::vector<Fault> result;
  const auto add = [&](Span span, std::string what) {
    auto mark = mark_of(span, what, places);
    result.push_back({.span = span, .what = std::move(what), .mark = std::move(mark)});
  };
  if (tree == nullptr) {
    result.push_back({.span = {0, text.size()}, .what = "it cannot be parsed", .mark = {}});
    return result;
  }
  for (const SyntaxError& error : syntax_errors(*tree)) {
    add({error.begin, error.end}, describe(error, text));
  }
  if (grammar_.language().name == "python") {
    for (const LayoutError& error : python_layout_errors(text, *tree)) {
      const std::size_t end = std::min(text.find_first_of("\r\n", error.at), text.size());
      add({error.at, end}, error.what);
    }
    for (RuleError& error : python_rule_errors(text, *tree)) add(error.span, std::move(error.what));
  }
  for (const Span& place : places) {
    if (text_goes_on_after(*tree, place)) {
      result.push_back(
          {.span = place, .what = "a string or comment goes on after the fill", .mark = {}});
    }
  }
  return result;
}

std::size_t Gate::count_new(const std::vector<Fault>& faults) const {
  return static_cast<std::size_t>(std::count_if(faults.begin(), faults.end(), [&](const Fault& it) {
    return !it.mark || !old_.contains(*it.mark);
  }));
}

void Gate::find_old_errors() {
  constexpr std::size_t kTriedOneByOne = 16;
  std::vector<Span> places;
  bool first = true;
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  std::vector<std::vector<Fault>> tried;
  const auto attempt = [&](const std::vector<std::string>& fills) {
    std::vector<Fault> found = faults(fills, places, false);
    std::set<Mark> marks;
    for (const Fault& fault : found) {
      if (fault.mark) marks.insert(*fault.mark);
    }
    if (first) {
      old_ = std::move(marks);
    } else {
      std::erase_if(old_, [&](const Mark& mark) { return !marks.contains(mark); });
    }
    first = false;
    const std::size_t n = found.size();
    const bool better = n < fewest;
    fewest = std::min(fewest, n);
    tried.push_back(std::move(found));
    return better;
  };
  std::vector<std::string>& best = neutral_;
  best.resize(holes_.size());
  std::vector<std::string> fills;
  fills.reserve(holes_.size());
  for (const Span& hole : holes_) fills.emplace_back(text_.substr(hole.begin, hole.size()));
  if (attempt(fills)) best = fills;
  // For each neutral text of each hole the fewest errors with it.
  std::vector<std::array<std::size_t, std::size(kNeutral)>> errors(holes_.size());
  for (std::size_t n = 0; n < std::size(kNeutral); ++n) {
    fills.assign(holes_.size(), std::string(kNeutral[n]));
    if (attempt(fills)) best = fills;
    for (auto& of_hole : errors) of_hole[n] = tried.back().size();
  }
  for (std::size_t i = 0; i < std::min(holes_.size(), kTriedOneByOne) && holes_.size() > 1; ++i) {
    for (std::size_t n = 0; n < std::size(kNeutral); ++n) {
      fills = best;
      fills[i] = kNeutral[n];
      if (attempt(fills)) best = fills;
      errors[i][n] = std::min(errors[i][n], tried.back().size());
    }
  }
  tolerated_ = std::numeric_limits<std::size_t>::max();
  for (const std::vector<Fault>& found : tried) tolerated_ = std::min(tolerated_, count_new(found));
  works_ = parse_next(filled(best, places), false) != nullptr;
  least_.resize(holes_.size());
  if (tolerated_ > 0) return;
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    std::optional<std::string_view> least;
    for (std::size_t n = 0; n < std::size(kNeutral); ++n) {
      const bool shorter = !least || kNeutral[n].size() < least->size();
      if (errors[i][n] == fewest && shorter) least = kNeutral[n];
    }
    least_[i] = least.value_or("");
  }
}

Problem Gate::problem_of(const Fault& fault, std::span<const std::string> fills,
                         std::span<const Span> places) const {
  std::size_t nearest = 0;
  for (std::size_t i = 1; i < places.size(); ++i) {
    if (distance(fault.span, places[i]) < distance(fault.span, places[nearest])) nearest = i;
  }
  const Span place = places[nearest];
  const std::string& fill = fills[nearest];
  // The lines of the fill that the fault touches, or the one that is nearest to it.
  const std::size_t from = std::clamp(fault.span.begin, place.begin, place.end) - place.begin;
  const std::size_t to = std::clamp(fault.span.end, place.begin, place.end) - place.begin;
  const std::size_t line = from == 0 ? std::string::npos : fill.rfind('\n', from - 1);
  const std::size_t begin = line == std::string::npos ? 0 : line + 1;
  const std::size_t end = std::min(fill.find('\n', std::max(to, begin)), fill.size());
  return {.hole = static_cast<int>(nearest), .fill = {begin, end}, .what = fault.what};
}

bool Gate::passes(std::span<const std::string> fills) {
  std::vector<Span> places;
  return !works_ || holes_.empty() || count_new(faults(fills, places, false)) <= tolerated_;
}

std::vector<Problem> Gate::judge(std::span<const std::string> fills) {
  std::vector<Span> places;
  const std::vector<Fault> found = faults(fills, places, true);
  std::vector<Problem> problems;
  if (!works_ || holes_.empty() || count_new(found) <= tolerated_) return problems;
  for (const Fault& fault : found) {
    if (fault.mark && old_.contains(*fault.mark)) continue;
    problems.push_back(problem_of(fault, fills, places));
  }
  return problems;
}

}  // namespace lacuna::grammar
