#include "grammar/gate.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "grammar/layout.h"
#include "grammar/neutral.h"
#include "grammar/python_rules.h"
#include "support/processor_time.h"

namespace lacuna::grammar {
namespace {

constexpr std::size_t kTriedOneByOne = 16;  // holes
// Bytes that are parsed, at most, to find something neutral for one hole after the other.
constexpr std::size_t kMostSearched = 256 << 10;
constexpr std::size_t kMostParsed = 48;     // of what neutral_at() has for a hole
constexpr double kShareOfSearch = 0.6;      // of a gate's time
constexpr double kUsualSize = 100'000;      // bytes, for which it is enough
constexpr std::size_t kMostRefused = 4096;  // that are remembered
constexpr double kShareOfChecker = 0.4;
constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
// Bytes in errors, and some for each: one that covers all of a function is further from right than two
// `;` that are missing.
constexpr std::size_t kCostOfError = 8;

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

Gate::Gate(const Grammar& grammar, std::string_view text, std::vector<Span> holes,
           std::vector<std::string> first, std::stop_token stop, double seconds)
    : grammar_(grammar),
      text_(text),
      holes_(std::move(holes)),
      stop_(std::move(stop)),
      seconds_left_(seconds * std::max(1.0, static_cast<double>(text.size()) / kUsualSize)),
      parser_(grammar) {
  within(kShareOfSearch * seconds_left_, [&] { find_neutral(first); });
}

// Does something for which there is so much time, and takes what it needed from what is left.
template <class Work>
void Gate::within(double seconds, Work work) {
  const double begin = thread_seconds();
  until_ = begin + seconds;
  work();
  until_ = std::numeric_limits<double>::infinity();
  seconds_left_ -= thread_seconds() - begin;
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

// Starts from the tree of the last text.
std::optional<SyntaxTree> Gate::parse_from_last(const std::string& text, bool only_without_error) {
  const ParseLimits limits{
      .stop = stop_, .only_without_error = only_without_error, .until = until_};
  if (!last_) return parser_.parse(text, nullptr, limits);
  const std::string_view before = last_->text;
  const auto head = std::mismatch(before.begin(), before.end(), text.begin(), text.end());
  const auto begin = static_cast<std::size_t>(head.first - before.begin());
  const std::size_t most = std::min(before.size(), text.size()) - begin;
  std::size_t tail = 0;
  while (tail < most && before[before.size() - 1 - tail] == text[text.size() - 1 - tail]) ++tail;
  if (begin == before.size() && before.size() == text.size()) return last_->tree;
  SyntaxTree edited = last_->tree;
  edited.edit(before, begin, before.size() - tail,
              std::string_view(text).substr(begin, text.size() - tail - begin));
  return parser_.parse(text, &edited, limits);
}

std::vector<Gate::Fault> Gate::faults(std::span<const std::string> fills, std::vector<Span>& places,
                                      bool anew) {
  std::string filled_text = filled(fills, places);
  if (anew) last_.reset();
  std::optional<SyntaxTree> parsed = parse_from_last(filled_text, false);
  std::vector<Fault> result;
  const auto add = [&](Span span, std::string what) {
    auto mark = mark_of(span, what, places);
    result.push_back({.span = span, .what = std::move(what), .mark = std::move(mark)});
  };
  if (!parsed) {
    last_.reset();
    result.push_back({.span = {0, filled_text.size()}, .what = "it cannot be parsed", .mark = {}});
    return result;
  }
  last_.emplace(Parsed{std::move(filled_text), std::move(*parsed)});
  const auto& [text, tree] = *last_;
  for (const SyntaxError& error : syntax_errors(tree)) {
    add({error.begin, error.end}, describe(error, text));
  }
  if (grammar_.language().name == "python") {
    for (const LayoutError& error : python_layout_errors(text, tree, stop_)) {
      const std::size_t end = std::min(text.find_first_of("\r\n", error.at), text.size());
      add({error.at, end}, error.what);
    }
    for (RuleError& error : python_rule_errors(text, tree)) add(error.span, std::move(error.what));
  }
  for (const Span& place : places) {
    if (text_goes_on_after(tree, place)) {
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

// Whether the text has no error at all with these fills. As faults().empty(), but it does not look
// farther than the first error.
bool Gate::is_clean(std::span<const std::string> fills) {
  std::vector<std::string> asked(fills.begin(), fills.end());
  if (refused_.contains(asked)) return false;
  std::vector<Span> places;
  std::string text = filled(fills, places);
  if (seen_ && seen_->text == text && seen_->places == places) return seen_->clean;
  const auto judge = [&] {
    std::optional<SyntaxTree> tree = parse_from_last(text, true);
    if (!tree || tree->has_error()) return false;
    // The next parse begins here also if the rest is not well.
    last_.emplace(Parsed{text, std::move(*tree)});
    if (grammar_.language().name == "python" &&
        (!python_layout_errors(text, last_->tree, stop_).empty() ||
         !python_rule_errors(text, last_->tree).empty())) {
      return false;
    }
    return std::none_of(places.begin(), places.end(),
                        [&](const Span& place) { return text_goes_on_after(last_->tree, place); });
  };
  const bool clean = judge();
  seen_ = {.text = std::move(text), .places = std::move(places), .clean = clean};
  if (!clean) {
    if (refused_.size() == kMostRefused) refused_.clear();
    refused_.insert(std::move(asked));
  }
  return clean;
}

bool Gate::is_over() {
  if (thread_seconds() > until_) out_of_time_ = true;
  return out_of_time_ || stop_.stop_requested();
}

// Whether the exact checker finds something for all holes that parses. Says if fills have to parse.
bool Gate::find_with_checker() {
  // The rest of the time is for what can be said if it finds nothing.
  const double until = std::exchange(until_, thread_seconds() + kShareOfChecker * seconds_left_);
  NeutralSearch search(grammar_.language().name, text_, holes_,
                       [this] { return stop_.stop_requested() || thread_seconds() > until_; });
  const bool found =
      search.run([this](const std::vector<std::string>& possible) { return is_clean(possible); });
  until_ = until;
  if (found) neutral_ = search.fills();
  strict_ = found || search.verdict() == Verdict::Possible;
  return found;
}

// What is tried in turn: the fills of `first`, what stands in the holes, and what the exact checker
// takes for all holes together. Once the text is without errors nothing more need be known
// of it. If it never is: other neutral texts in all holes, and then in one after the other. A text that is
// broken elsewhere never is: then the last is not done for a single hole that something neutral fits.
void Gate::find_neutral(const std::vector<std::string>& first) {
  std::vector<Span> places;
  std::size_t best = kMost;
  std::size_t parsed = 0;  // bytes
  std::vector<std::vector<Fault>> tried;
  const auto attempt = [&](const std::vector<std::string>& fills) {
    if (best == 0 || is_over()) return;
    std::vector<Fault> found = faults(fills, places, false);
    if (is_over()) return;
    parsed += text_.size();
    std::set<Mark> marks;
    for (const Fault& fault : found) {
      if (fault.mark) marks.insert(*fault.mark);
    }
    if (tried.empty()) {
      old_ = std::move(marks);
    } else {
      std::erase_if(old_, [&](const Mark& mark) { return !marks.contains(mark); });
    }
    std::size_t cost = kCostOfError * found.size();
    for (const Fault& fault : found) cost += fault.span.size();
    if (cost < best) neutral_ = fills;
    best = std::min(best, cost);
    tried.push_back(std::move(found));
  };
  const auto fewest_new = [&] {
    std::size_t fewest = kMost;
    for (const std::vector<Fault>& found : tried) fewest = std::min(fewest, count_new(found));
    return fewest;
  };
  const auto attempt_in_all = [&](std::string_view neutral) {
    attempt(std::vector<std::string>(holes_.size(), std::string(neutral)));
  };
  neutral_.resize(holes_.size());
  if (!first.empty()) attempt(first);
  std::vector<std::string> fills;
  fills.reserve(holes_.size());
  for (const Span& hole : holes_) fills.emplace_back(text_.substr(hole.begin, hole.size()));
  const auto is_empty = [](const std::string& fill) { return fill.empty(); };
  if (!std::all_of(fills.begin(), fills.end(), is_empty)) attempt(fills);
  if (best > 0 && !holes_.empty() && !is_over() && find_with_checker()) best = 0;
  for (const std::string_view neutral : kNeutral) attempt_in_all(neutral);
  // Again while that helps: what fits one hole depends on the others.
  const bool one_by_one = holes_.size() > 1 || fewest_new() > 0;
  parsed = 0;
  for (std::size_t before = kMost; one_by_one && best > 0 && best < before;) {
    before = best;
    for (std::size_t i = 0; i < std::min(holes_.size(), kTriedOneByOne); ++i) {
      std::vector<std::string> all = neutral_at(text_, holes_[i], true);
      all.resize(std::min(all.size(), kMostParsed));
      for (const std::string& neutral : all) {
        if (parsed > kMostSearched) break;
        fills = neutral_;
        fills[i] = neutral;
        attempt(fills);
      }
    }
  }
  if (best == 0 || strict_) old_.clear();
  conclude(best == 0, tried.empty() ? kMost : fewest_new());
}

// What the search for something neutral says, with the fewest new errors that an attempt had.
void Gate::conclude(bool is_clean, std::size_t fewest) {
  if (stop_.stop_requested()) {
    works_ = false;
    return;
  }
  if (is_clean) {
    clean_ = last_;
    strict_ = true;
    out_of_time_ = false;
    return;
  }
  const bool was_tried = fewest != kMost;
  // After too few attempts errors that come with the holes look as if they were the file's own.
  tolerated_ = was_tried ? std::max<std::size_t>(fewest, out_of_time_ ? 1 : 0) : 1;
  works_ = strict_ || (was_tried && last_.has_value());
  strict_ = strict_ || tolerated_ == 0;
}

const std::vector<std::string>& Gate::least_fills() {
  if (least_) return *least_;
  least_.emplace(holes_.size());
  if (tolerated_ > 0 || !works_) return *least_;
  std::vector<std::string> fills = neutral_;
  for (std::size_t i = 0; i < std::min(holes_.size(), kTriedOneByOne); ++i) {
    const auto least = std::find_if(std::begin(kNeutral), std::end(kNeutral), [&](auto neutral) {
      fills[i] = neutral;
      return passes(fills);
    });
    if (least != std::end(kNeutral)) (*least_)[i] = *least;
    fills[i] = neutral_[i];
  }
  return *least_;
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
  if (!works_ || holes_.empty()) return true;
  if (strict_ && old_.empty()) return is_clean(fills);
  std::vector<Span> places;
  return count_new(faults(fills, places, false)) <= allowed();
}

std::vector<Problem> Gate::judge(std::span<const std::string> fills) {
  if (!works_ || holes_.empty()) return {};
  std::vector<std::string> asked(fills.begin(), fills.end());
  if (judged_ && judged_->fills == asked) return judged_->problems;
  std::vector<Span> places;
  std::vector<Fault> found;
  within(seconds_left_, [&] {
    found = faults(fills, places, true);
    if (is_over() && !stop_.stop_requested()) {
      found = {{.span = {0, 0}, .what = "it takes too long to parse", .mark = {}}};
    }
  });
  std::vector<Problem> problems;
  // Where errors are the rule too much time says nothing.
  const bool unknown = out_of_time_ && !strict_;
  if (count_new(found) > allowed() && !unknown) {
    for (const Fault& fault : found) {
      if (fault.mark && old_.contains(*fault.mark)) continue;
      problems.push_back(problem_of(fault, fills, places));
    }
  }
  judged_ = {.fills = std::move(asked), .problems = problems};
  return problems;
}

}  // namespace lacuna::grammar
