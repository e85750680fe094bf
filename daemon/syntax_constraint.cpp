#include "daemon/syntax_constraint.h"

#include <algorithm>
#include <chrono>

namespace lacuna::daemon {
namespace {

constexpr double kTooLittleKnown = 0.75;  // share of masks
constexpr std::size_t kSmallText = 16 << 10;
constexpr int kTriesAtTheEnd = 8;

// The part of the text that is parsed at each step.
grammar::Span region_of(const grammar::Grammar& grammar, std::string_view text,
                        std::span<const engine::Hole> holes) {
  const grammar::Span whole{0, text.size()};
  if (text.size() <= kSmallText || holes.empty()) return whole;
  const auto tree = grammar::parse(grammar, text);
  if (!tree) return whole;
  return grammar::top_level_around(text, *tree, {holes.front().begin, holes.back().end});
}

std::vector<grammar::Span> spans_in(grammar::Span region, std::span<const engine::Hole> holes) {
  std::vector<grammar::Span> spans;
  spans.reserve(holes.size());
  for (const engine::Hole& hole : holes) {
    spans.push_back({hole.begin - region.begin, hole.end - region.begin});
  }
  return spans;
}

std::string_view part(std::string_view text, grammar::Span span) {
  return text.substr(span.begin, span.size());
}

}  // namespace

SyntaxConstraint::SyntaxConstraint(const engine::Model& model, const grammar::Grammar& grammar,
                                   std::string_view text, std::span<const engine::Hole> holes)
    : model_(model),
      region_(part(text, region_of(grammar, text, holes))),
      gate_(grammar, region_,
            spans_in({static_cast<std::size_t>(region_.data() - text.data()), text.size()}, holes)),
      fills_(gate_.neutral_fills()) {}

void SyntaxConstraint::begin_canvas(int first_hole, std::span<const std::string> filled) {
  first_hole_ = static_cast<std::size_t>(first_hole);
  fills_ = gate_.neutral_fills();
  std::copy(filled.begin(), filled.end(), fills_.begin());
  witness_.clear();
  refused_at_end_ = 0;
}

void SyntaxConstraint::begin_step(const engine::ConstraintStep& step) {
  known_.assign(step.canvas.begin(), step.canvas.end());
  hole_of_.assign(step.hole_of.begin(), step.hole_of.end());
  mask_ = step.mask_token;
  guess_.assign(known_.size(), -1);
  for (const engine::Candidate& candidate : step.candidates) {
    guess_[static_cast<std::size_t>(candidate.position)] = candidate.token;
  }
  // The canvas has another length: positions mean something else.
  if (witness_.size() != known_.size()) witness_.clear();
}

std::int32_t SyntaxConstraint::fallback(int position) const {
  const auto i = static_cast<std::size_t>(position);
  return i < witness_.size() ? witness_[i] : -1;
}

void SyntaxConstraint::vet(std::span<const std::int32_t> canvas,
                           std::span<const engine::Candidate> proposals,
                           std::span<std::uint8_t> accepted) {
  const auto begin = std::chrono::steady_clock::now();
  known_.assign(canvas.begin(), canvas.end());
  ++counts_.vetted;
  check(proposals, accepted);
  counts_.seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void SyntaxConstraint::check(std::span<const engine::Candidate> proposals,
                             std::span<std::uint8_t> accepted) {
  std::size_t in_holes = 0;
  std::size_t masked = 0;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    in_holes += hole_of_[i] >= 0 ? 1 : 0;
    masked += hole_of_[i] >= 0 && known_[i] == mask_ ? 1 : 0;
  }
  const std::size_t left = masked - std::min(masked, proposals.size());
  std::fill(accepted.begin(), accepted.end(), std::uint8_t{1});
  if (static_cast<double>(left) > kTooLittleKnown * static_cast<double>(in_holes)) {
    ++counts_.unchecked;
    return;
  }
  Tokens trial = known_;
  for (const engine::Candidate& it : proposals) {
    trial[static_cast<std::size_t>(it.position)] = it.token;
  }
  Tokens whole = completed(trial, guess_);
  if (parses(whole)) {
    witness_ = std::move(whole);
    ++counts_.accepted;
    return;
  }
  if (!witness_.empty()) {
    check_one_by_one(proposals, accepted);
  } else if (left == 0 && refused_at_end_ < kTriesAtTheEnd) {
    ++refused_at_end_;
    ++counts_.vetoed;
    accepted.back() = 0;
  }
}

void SyntaxConstraint::check_one_by_one(std::span<const engine::Candidate> proposals,
                                        std::span<std::uint8_t> accepted) {
  for (std::size_t i = 0; i < proposals.size(); ++i) {
    const auto position = static_cast<std::size_t>(proposals[i].position);
    if (witness_[position] == proposals[i].token) {
      known_[position] = proposals[i].token;
      continue;
    }
    Tokens trial = known_;
    trial[position] = proposals[i].token;
    bool good = false;
    for (const Tokens* rest : {&witness_, &guess_}) {
      Tokens whole = completed(trial, *rest);
      if (!parses(whole)) continue;
      witness_ = std::move(whole);
      good = true;
      break;
    }
    accepted[i] = good ? 1 : 0;
    counts_.vetoed += good ? 0 : 1;
    if (good) known_ = std::move(trial);
  }
}

SyntaxConstraint::Tokens SyntaxConstraint::completed(const Tokens& known,
                                                     const Tokens& rest) const {
  Tokens whole = known;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (hole_of_[i] >= 0 && whole[i] == mask_) whole[i] = rest[i];
  }
  return whole;
}

bool SyntaxConstraint::parses(const Tokens& tokens) {
  const auto is_text = [&](std::int32_t token) {
    return token >= 0 && token != mask_ && token != model_.config().delete_token &&
           token != model_.config().expand_token;
  };
  std::vector<Tokens> of_hole(fills_.size() - first_hole_);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (hole_of_[i] < 0 || !is_text(tokens[i])) continue;
    const auto hole = static_cast<std::size_t>(hole_of_[i]);
    if (hole < of_hole.size()) of_hole[hole].push_back(tokens[i]);
  }
  const std::int32_t last =
      hole_of_.empty() ? -1 : *std::max_element(hole_of_.begin(), hole_of_.end());
  for (std::int32_t hole = 0; hole <= last; ++hole) {
    const auto idx = static_cast<std::size_t>(hole);
    if (idx < of_hole.size()) fills_[first_hole_ + idx] = model_.tokenizer()->decode(of_hole[idx]);
  }
  return gate_.passes(fills_);
}

}  // namespace lacuna::daemon
