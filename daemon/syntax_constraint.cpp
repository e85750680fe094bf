#include "daemon/syntax_constraint.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "support/processor_time.h"

namespace lacuna::daemon {
namespace {

constexpr double kTooLittleKnown = 0.75;  // share of a hole that is masked
constexpr double kLittleLeft = 0.25;
constexpr int kTriesAtTheEnd = 8;
// What may end a fill, before the brackets that it has open.
constexpr std::string_view kTails[] = {"", "x", ";", ": pass", "{}"};

std::string filled(std::string_view text, std::span<const grammar::Span> spans,
                   std::span<const std::string> fills) {
  std::string result;
  std::size_t at = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    result += text.substr(at, spans[i].begin - at);
    result += fills[i];
    at = spans[i].end;
  }
  return result += text.substr(at);
}

// A gate of `region`, which has all the holes of `whole` in it.
grammar::Gate gate_of(const grammar::Grammar& grammar, const grammar::Gate& whole,
                      grammar::Span region, const std::stop_token& stop) {
  std::vector<grammar::Span> holes = whole.holes();
  for (grammar::Span& hole : holes) hole = {hole.begin - region.begin, hole.end - region.begin};
  return {grammar, whole.text().substr(region.begin, region.size()), std::move(holes),
          whole.neutral_fills(), stop};
}

// Of the part of the text that is parsed at each step: the innermost function or class whose body has
// all the holes in it, or else the top-level nodes from the first hole to the last, if that parses
// alone; a method of JavaScript, for one, does only in its class. Then nothing in the rest of the text
// can tell whether a fill parses.
grammar::Gate gate_of_part(const grammar::Grammar& grammar, const grammar::Gate& whole,
                           const std::stop_token& stop) {
  const std::string_view text = whole.text();
  const grammar::Span all{0, text.size()};
  if (whole.holes().empty() || !whole.works() || !whole.is_sure()) {
    return gate_of(grammar, whole, all, stop);
  }
  const std::string neutral = filled(text, whole.holes(), whole.neutral_fills());
  grammar::Parser parser(grammar);
  std::optional<grammar::SyntaxTree> tree;
  if (whole.clean_tree() != nullptr) {
    tree = *whole.clean_tree();
  } else {
    tree = parser.parse(neutral, nullptr, {.stop = stop});
  }
  if (!tree) return gate_of(grammar, whole, all, stop);
  // Nothing has moved before the first hole, and all behind the last by the same distance.
  const std::size_t behind = text.size() - whole.holes().back().end;
  const grammar::Span places{whole.holes().front().begin, neutral.size() - behind};
  const grammar::Outline outline = grammar::outline_of(neutral, *tree);
  std::vector<grammar::Span> candidates;
  for (auto item = outline.items.rbegin(); item != outline.items.rend(); ++item) {
    if (item->body.contains(places)) candidates.push_back(item->span);
  }
  candidates.push_back(grammar::top_level_around(neutral, *tree, places));
  for (const grammar::Span& candidate : candidates) {
    const auto alone =
        parser.parse(std::string_view(neutral).substr(candidate.begin, candidate.size()), nullptr,
                     {.stop = stop, .only_without_error = true});
    if (!alone || alone->has_error()) continue;
    const grammar::Span region{candidate.begin, text.size() - (neutral.size() - candidate.end)};
    grammar::Gate part = gate_of(grammar, whole, region, stop);
    if (part.clean_tree() != nullptr) return part;
  }
  return gate_of(grammar, whole, all, stop);
}

// Adds the time that it lives to `sum`.
class Stopwatch {
 public:
  explicit Stopwatch(double& sum) : sum_(sum), begin_(thread_seconds()) {}
  ~Stopwatch() { sum_ += thread_seconds() - begin_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& sum_;
  double begin_;
};

// What closes the brackets and the quote that a piece of code leaves open, as far as that can be seen
// without knowing the language.
std::string closing_of(std::string_view code) {
  std::string open;
  char quote = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote || c == '\n') quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      open += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (!open.empty() && c == open.back()) {
      open.pop_back();
    }
  }
  std::string closing(open.rbegin(), open.rend());
  if (quote != 0) closing.insert(closing.begin(), quote);
  return closing;
}

// Whether `witness` has every token that is committed in `known`.
bool completes(std::span<const std::int32_t> witness, std::span<const std::int32_t> known,
               std::int32_t mask) {
  return witness.size() == known.size() &&
         std::equal(known.begin(), known.end(), witness.begin(),
                    [&](std::int32_t a, std::int32_t b) { return a == mask || a == b; });
}

}  // namespace

SyntaxConstraint::SyntaxConstraint(const engine::Model& model, const grammar::Grammar& grammar,
                                   const grammar::Gate& gate, std::stop_token stop, Keep keep)
    : model_(model),
      grammar_(grammar),
      keep_(keep),
      gate_(gate_of_part(grammar, gate, stop)),
      mask_(model.mask_token()),
      filler_(model.config().delete_token.value_or(model.tokenizer()->find(" ").value_or(-1))),
      holes_(gate.holes().size()) {}

bool SyntaxConstraint::is_text(std::int32_t token) const {
  return token >= 0 && token != mask_ && token != model_.config().delete_token &&
         token != model_.config().expand_token;
}

std::string SyntaxConstraint::text_of(const Tokens& tokens) const {
  Tokens text;
  std::copy_if(tokens.begin(), tokens.end(), std::back_inserter(text),
               [this](std::int32_t token) { return is_text(token); });
  return model_.tokenizer()->decode(text);
}

std::size_t SyntaxConstraint::masks_in(const Tokens& tokens) const {
  return static_cast<std::size_t>(std::count(tokens.begin(), tokens.end(), mask_));
}

void SyntaxConstraint::begin_canvas(int first_hole, std::span<const std::string> filled) {
  first_hole_ = static_cast<std::size_t>(first_hole);
  std::vector<std::string> fills = gate_.neutral_fills();
  for (std::size_t i = 0; i < filled.size(); ++i) {
    std::string neutral = std::exchange(fills[i], filled[i]);
    if (!gate_.passes(fills)) fills[i] = std::move(neutral);
  }
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    holes_[i].whole = std::move(fills[i]);
    holes_[i].known.clear();
    holes_[i].witness.clear();
    holes_[i].refused_at_end = 0;
  }
}

void SyntaxConstraint::begin_step(const engine::ConstraintStep& step) {
  const Stopwatch stopwatch(counts_.seconds);
  mask_ = step.mask_token;
  std::vector<Tokens> known(holes_.size());
  for (std::size_t p = 0; p < step.canvas.size(); ++p) {
    if (step.hole_of[p] < 0) continue;
    const std::size_t idx = first_hole_ + static_cast<std::size_t>(step.hole_of[p]);
    if (known[idx].empty()) holes_[idx].begin = p;
    known[idx].push_back(step.canvas[p]);
  }
  for (std::size_t idx = first_hole_; idx < holes_.size(); ++idx) {
    HoleState& hole = holes_[idx];
    const Tokens before = std::exchange(hole.known, std::move(known[idx]));
    hole.guess.assign(hole.known.size(), -1);
    if (before.empty()) {
      begin_with_neutral(idx);
    } else if (!completes(hole.witness, hole.known, mask_)) {
      // The hole has another length now, but what was committed is still there, in its order.
      std::vector<WitnessToken> tokens;
      for (std::size_t i = 0; i < hole.witness.size(); ++i) {
        if (is_text(hole.witness[i])) tokens.push_back({hole.witness[i], before[i] != mask_});
      }
      if (!hole.witness.empty()) hole.witness = placed(tokens, hole.known);
    }
  }
  for (const engine::Candidate& candidate : step.candidates) {
    const auto position = static_cast<std::size_t>(candidate.position);
    HoleState& hole = holes_[first_hole_ + static_cast<std::size_t>(step.hole_of[position])];
    hole.guess[position - hole.begin] = candidate.token;
  }
}

// The remembered whole as tokens.
void SyntaxConstraint::begin_with_neutral(std::size_t idx) {
  const HoleState& hole = holes_[idx];
  std::vector<WitnessToken> tokens;
  for (const std::int32_t token : model_.tokenizer()->encode(hole.whole)) {
    tokens.push_back({token, false});
  }
  Tokens witness = placed(tokens, hole.known);
  if (!witness.empty()) remember(idx, std::move(witness));
}

std::int32_t SyntaxConstraint::fallback(int position) const {
  const auto p = static_cast<std::size_t>(position);
  for (const HoleState& hole : holes_) {
    if (p >= hole.begin && p < hole.begin + hole.witness.size())
      return hole.witness[p - hole.begin];
  }
  return -1;
}

void SyntaxConstraint::vet(std::span<const std::int32_t> canvas,
                           std::span<const engine::Candidate> proposals,
                           std::span<std::uint8_t> accepted) {
  const Stopwatch stopwatch(counts_.seconds);
  for (HoleState& hole : holes_) {
    std::copy_n(canvas.begin() + static_cast<std::ptrdiff_t>(hole.begin), hole.known.size(),
                hole.known.begin());
  }
  ++counts_.vetted;
  std::fill(accepted.begin(), accepted.end(), std::uint8_t{1});
  check(proposals, accepted);
  counts_.vetoed += static_cast<int>(std::count(accepted.begin(), accepted.end(), 0));
}

void SyntaxConstraint::check(std::span<const engine::Candidate> proposals,
                             std::span<std::uint8_t> accepted) {
  std::vector<std::vector<Proposal>> of_hole(holes_.size());
  for (std::size_t i = 0; i < proposals.size(); ++i) {
    const auto position = static_cast<std::size_t>(proposals[i].position);
    for (std::size_t idx = first_hole_; idx < holes_.size(); ++idx) {
      const HoleState& hole = holes_[idx];
      if (position < hole.begin || position >= hole.begin + hole.known.size()) continue;
      of_hole[idx].push_back({i, position - hole.begin, proposals[i].token});
    }
  }
  bool all_unchecked = true;
  for (std::size_t idx = first_hole_; idx < holes_.size(); ++idx) {
    const HoleState& hole = holes_[idx];
    const std::size_t left = masks_in(hole.known) - of_hole[idx].size();
    const double most = kTooLittleKnown * static_cast<double>(hole.known.size());
    if (of_hole[idx].empty()) continue;
    if (static_cast<double>(left) <= most || keep_ == Keep::Always) {
      all_unchecked = false;
      continue;
    }
    // Its witness is of no use if the tokens are others.
    Tokens trial = hole.known;
    for (const Proposal& it : of_hole[idx]) trial[it.at] = it.token;
    if (!completes(hole.witness, trial, mask_)) holes_[idx].witness.clear();
    holes_[idx].known = std::move(trial);
    of_hole[idx].clear();
  }
  if (all_unchecked) {
    ++counts_.unchecked;
  } else if (guess_parses(of_hole)) {
    ++counts_.accepted;
  } else {
    for (std::size_t idx = first_hole_; idx < holes_.size(); ++idx) {
      if (!of_hole[idx].empty()) check_hole(idx, of_hole[idx], accepted);
    }
  }
}

// Gives the masks of `known` the tokens of `witness` that are not committed, between the same
// committed ones, and nothing to those that are left. Empty when they do not fit.
SyntaxConstraint::Tokens SyntaxConstraint::placed(std::span<const WitnessToken> witness,
                                                  const Tokens& known) const {
  Tokens result = known;
  std::size_t next = 0;
  for (std::int32_t& token : result) {
    if (token == mask_ && next < witness.size() && !witness[next].committed) {
      token = witness[next++].token;
    } else if (token == mask_) {
      if (filler_ < 0) return {};
      token = filler_;
    } else if (is_text(token)) {
      if (next == witness.size() || !witness[next].committed || witness[next].token != token) {
        return {};
      }
      ++next;
    }
  }
  if (next < witness.size()) result.clear();
  return result;
}

SyntaxConstraint::Tokens SyntaxConstraint::with_guess(const HoleState& hole,
                                                      std::span<const Proposal> proposals) const {
  Tokens whole = hole.known;
  for (const Proposal& it : proposals) whole[it.at] = it.token;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] == mask_) whole[i] = hole.guess[i];
  }
  return whole;
}

// All holes of the canvas as the model would fill them now.
bool SyntaxConstraint::guess_parses(const std::vector<std::vector<Proposal>>& of_hole) {
  std::vector<std::string> fills;
  std::vector<Tokens> wholes(holes_.size());
  for (std::size_t idx = 0; idx < holes_.size(); ++idx) {
    if (of_hole[idx].empty()) {
      fills.push_back(holes_[idx].whole);
    } else {
      wholes[idx] = with_guess(holes_[idx], of_hole[idx]);
      fills.push_back(text_of(wholes[idx]));
    }
  }
  if (!gate_.passes(fills)) return false;
  for (std::size_t idx = 0; idx < holes_.size(); ++idx) {
    HoleState& hole = holes_[idx];
    if (of_hole[idx].empty()) continue;
    for (const Proposal& it : of_hole[idx]) hole.known[it.at] = it.token;
    hole.whole = std::move(fills[idx]);
    hole.witness = std::move(wholes[idx]);
  }
  return true;
}

void SyntaxConstraint::check_hole(std::size_t idx, std::span<const Proposal> proposals,
                                  std::span<std::uint8_t> accepted) {
  HoleState& hole = holes_[idx];
  Tokens trial = hole.known;
  for (const Proposal& it : proposals) trial[it.at] = it.token;
  if (is_good(idx, trial, proposals)) {
    hole.known = std::move(trial);
    return;
  }
  if (proposals.size() == 1) {
    accepted[proposals[0].idx] = 0;
    return;
  }
  // The surer half first; the others must go with what it leaves.
  const std::size_t half = proposals.size() / 2;
  check_hole(idx, proposals.first(half), accepted);
  check_hole(idx, proposals.subspan(half), accepted);
}

// Whether the hole may become `trial`, which has the proposals. Remembers a whole, or that there is
// none any more.
bool SyntaxConstraint::is_good(std::size_t idx, const Tokens& trial,
                               std::span<const Proposal> proposals) {
  HoleState& hole = holes_[idx];
  if (completes(hole.witness, trial, mask_) || remember(idx, with_guess(hole, proposals)) ||
      witness_fits(idx, trial)) {
    return true;
  }
  const std::size_t left = masks_in(trial);
  if (left > 0) {
    // Asked before more is parsed: a parse that fails is dearer.
    const grammar::Verdict verdict = ask_exactly(idx, trial);
    if (verdict == grammar::Verdict::Impossible) return false;
    if (closing_fits(idx, trial)) return true;
    const bool little_left =
        static_cast<double>(left) <= kLittleLeft * static_cast<double>(trial.size());
    const bool keeps = little_left || keep_ == Keep::Always || verdict == grammar::Verdict::Unknown;
    if (!hole.witness.empty() && keeps) return false;
  } else if (!hole.witness.empty() || hole.refused_at_end < kTriesAtTheEnd) {
    // The last token makes the whole, and with this one it does not parse.
    if (hole.witness.empty()) ++hole.refused_at_end;
    return false;
  }
  hole.witness.clear();
  return true;
}

// Whether the hole may have what the remembered whole has in the place of its masks.
bool SyntaxConstraint::witness_fits(std::size_t idx, const Tokens& trial) {
  const HoleState& hole = holes_[idx];
  if (hole.witness.empty() || masks_in(trial) == 0) return false;
  Tokens whole = trial;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i] == mask_) whole[i] = hole.witness[i];
  }
  return remember(idx, std::move(whole));
}

// Whether hardly more than closing brackets completes the hole.
bool SyntaxConstraint::closing_fits(std::size_t idx, const Tokens& trial) {
  return std::any_of(std::begin(kTails), std::end(kTails), [&](std::string_view tail) {
    Tokens whole = closed(trial, tail);
    return !whole.empty() && remember(idx, std::move(whole));
  });
}

// Nothing for the masks, but `tail` and closing brackets at the end. Empty when they do not fit.
SyntaxConstraint::Tokens SyntaxConstraint::closed(const Tokens& trial,
                                                  std::string_view tail) const {
  std::size_t end = trial.size();
  while (end > 0 && !is_text(trial[end - 1])) --end;
  std::vector<WitnessToken> tokens;
  for (std::size_t i = 0; i < end; ++i) {
    if (is_text(trial[i])) tokens.push_back({trial[i], true});
  }
  const std::string code = text_of(trial) + std::string(tail);
  for (const std::int32_t token :
       model_.tokenizer()->encode(std::string(tail) + closing_of(code))) {
    tokens.push_back({token, false});
  }
  return placed(tokens, trial);
}

bool SyntaxConstraint::remember(std::size_t idx, Tokens tokens) {
  // A parse that fails takes longer.
  if (holes_[idx].exact && verdict_of(idx, tokens) == grammar::Verdict::Impossible) return false;
  std::vector<std::string> fills;
  fills.reserve(holes_.size());
  for (const HoleState& hole : holes_) fills.push_back(hole.whole);
  fills[idx] = text_of(tokens);
  if (!gate_.passes(fills)) return false;
  holes_[idx].whole = std::move(fills[idx]);
  holes_[idx].witness = std::move(tokens);
  return true;
}

grammar::Verdict SyntaxConstraint::ask_exactly(std::size_t idx, const Tokens& known) {
  HoleState& hole = holes_[idx];
  if (!hole.exact) hole.exact = make_exact(idx);
  if (hole.exact->checker) ++counts_.exact;
  return verdict_of(idx, known);
}

// What the exact checker of the hole says of it.
grammar::Verdict SyntaxConstraint::verdict_of(std::size_t idx, const Tokens& known) const {
  const ExactCheck& exact = *holes_[idx].exact;
  if (!exact.checker) return grammar::Verdict::Unknown;
  // Decoded from the beginning: a tokenizer may treat the first token in another way.
  Tokens tokens;
  std::string text;
  std::vector<std::size_t> open;  // bytes of the text before each mask
  for (const std::int32_t token : known) {
    if (is_text(token)) {
      tokens.push_back(token);
      text = model_.tokenizer()->decode(tokens);
    } else if (token != model_.config().delete_token) {
      open.push_back(text.size());
    }
  }
  std::vector<grammar::Piece> pieces = exact.before;
  std::size_t at = 0;
  for (const std::size_t end : open) {
    pieces.push_back({.text = std::string_view(text).substr(at, end - at)});
    pieces.push_back({.text = {}, .hole = true});
    at = end;
  }
  pieces.push_back({.text = std::string_view(text).substr(at)});
  pieces.insert(pieces.end(), exact.after.begin(), exact.after.end());
  return exact.checker->check(pieces);
}

std::unique_ptr<SyntaxConstraint::ExactCheck> SyntaxConstraint::make_exact(std::size_t idx) const {
  auto exact = std::make_unique<ExactCheck>();
  exact->checker = grammar::HoleChecker::make(grammar_.language().name);
  if (!exact->checker) return exact;
  const std::string_view region = gate_.text();
  const std::vector<grammar::Span>& spans = gate_.holes();
  std::string text;
  std::vector<grammar::Span> places;
  std::size_t at = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    text += region.substr(at, spans[i].begin - at);
    places.push_back({text.size(), text.size() + gate_.neutral_fills()[i].size()});
    text += gate_.neutral_fills()[i];
    at = spans[i].end;
  }
  text += region.substr(at);
  const auto tree = grammar::parse(grammar_, text);
  const grammar::Span item =
      tree ? grammar::top_level_around(text, *tree, places[idx]) : grammar::Span{0, text.size()};
  // What of the item stands between the holes.
  std::vector<grammar::Piece> pieces;
  std::size_t from = 0;  // where the text behind the last hole begins
  for (std::size_t i = 0; i <= spans.size(); ++i) {
    const std::size_t to = i < spans.size() ? places[i].begin : text.size();
    const std::size_t begin = std::clamp(item.begin, from, to);
    const std::size_t end = std::clamp(item.end, begin, to);
    const std::size_t behind = i == 0 ? 0 : spans[i - 1].end;  // as `from`, in the region
    pieces.push_back({.text = region.substr(behind + begin - from, end - begin)});
    if (i == spans.size()) break;
    if (i == idx) exact->before = std::exchange(pieces, {});
    if (i != idx && places[i].end >= item.begin && places[i].begin <= item.end) {
      pieces.push_back({.text = {}, .hole = true});
    }
    from = places[i].end;
  }
  exact->after = std::move(pieces);
  pieces = exact->before;
  pieces.push_back({.text = {}, .hole = true});
  pieces.insert(pieces.end(), exact->after.begin(), exact->after.end());
  // Where even this is impossible the text is broken, or not of this grammar.
  if (exact->checker->check(pieces) != grammar::Verdict::Possible) exact->checker.reset();
  return exact;
}

}  // namespace lacuna::daemon
