#include "daemon/checked_infill.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>

#include "grammar/gate.h"
#include "grammar/tidy_fill.h"

namespace lacuna::daemon {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<grammar::Span> spans_of(std::span<const engine::Hole> holes) {
  std::vector<grammar::Span> spans;
  spans.reserve(holes.size());
  for (const engine::Hole& hole : holes) spans.push_back({hole.begin, hole.end});
  return spans;
}

std::vector<std::string> texts_of(std::span<const engine::HoleFill> fills) {
  std::vector<std::string> texts;
  texts.reserve(fills.size());
  for (const engine::HoleFill& fill : fills) texts.push_back(fill.text);
  return texts;
}

// Code has 3 to 4 bytes a token.
int tokens_for(std::size_t bytes) { return std::clamp(static_cast<int>(bytes / 3), 2, 256); }

// One fill, from the engine's answer to what may be shown.
class Checking {
 public:
  Checking(const engine::Model& model, const engine::InfillRequest& request,
           const SyntaxOptions& syntax, grammar::Gate& gate, CheckedInfill& checked)
      : model_(model),
        request_(request),
        syntax_(syntax),
        gate_(gate),
        checked_(checked),
        spans_(spans_of(request.holes)),
        texts_(texts_of(checked.result.fills)) {}

  Result<void> run() {
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (is_finished(i)) texts_[i] = grammar::tidy_fill(request_.text, spans_[i], texts_[i]);
    }
    remove_repeated();
    for (int round = 1; round <= syntax_.repairs; ++round) {
      const std::vector<grammar::Problem> problems = gate_.judge(texts_);
      if (problems.empty()) break;
      if (const Result<void> done = repair(problems, round); !done) return done;
      remove_repeated();
    }
    settle(gate_.judge(texts_));
    return {};
  }

 private:
  bool is_finished(std::size_t i) const { return checked_.result.fills[i].masks_left == 0; }

  // A repeated line goes; a repeated bracket or word only where the text does not parse with it.
  void remove_repeated() {
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      const std::string fill = texts_[i];
      const bool passes = gate_.passes(texts_);
      for (const std::size_t n : grammar::repeated_after(request_.text, spans_[i], fill)) {
        const std::string_view repeated = std::string_view(fill).substr(fill.size() - n);
        if (passes && !grammar::is_whole_line(repeated)) continue;
        texts_[i] = fill.substr(0, fill.size() - n);
        if (gate_.passes(texts_)) {
          checked_.holes[i].repeated += static_cast<int>(n);
          break;
        }
        texts_[i] = fill;
      }
    }
  }

  // Writes the lines with problems again, with the surest tokens; in the last round the whole fills,
  // with a little chance, because those have failed.
  Result<void> repair(const std::vector<grammar::Problem>& problems, int round) {
    const bool last = round == syntax_.repairs;
    std::vector<engine::Hole> parts;
    std::vector<std::size_t> owners;
    std::string text;
    std::size_t at = 0;
    std::set<int> wrong;
    for (const grammar::Problem& problem : problems) wrong.insert(problem.hole);
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      text += request_.text.substr(at, spans_[i].begin - at);
      if (wrong.contains(static_cast<int>(i))) {
        grammar::Span part = part_of(problems, static_cast<int>(i));
        if (last) part = {0, texts_[i].size()};
        const std::size_t begin = text.size();
        parts.push_back({.begin = begin + part.begin,
                         .end = begin + part.end,
                         .tokens = tokens_for(part.size()),
                         .hint = request_.holes[i].hint});
        owners.push_back(i);
      }
      text += texts_[i];
      at = spans_[i].end;
    }
    text += request_.text.substr(at);
    engine::InfillRequest again = request_;
    again.text = text;
    again.holes = parts;
    again.on_step = {};
    again.on_denoise = {};
    again.options.length = engine::LengthMode::Fixed;
    again.options.sampling.seed += static_cast<std::uint64_t>(round);
    again.options.sampling.temperature = last ? 0.4F : 0;
    std::unique_ptr<SyntaxConstraint> constraint;
    if (request_.constraint != nullptr) {
      constraint = std::make_unique<SyntaxConstraint>(model_, *syntax_.grammar, text, parts);
      again.constraint = constraint.get();
    }
    const Result<engine::InfillResult> result = engine::infill(model_, again);
    if (!result) return result.error();
    checked_.result.forward_passes += result->forward_passes;
    checked_.result.denoise_seconds += result->denoise_seconds;
    take(*result, parts, owners);
    return {};
  }

  // The lines of a fill that have problems, from the first to the last.
  static grammar::Span part_of(const std::vector<grammar::Problem>& problems, int hole) {
    grammar::Span part{static_cast<std::size_t>(-1), 0};
    for (const grammar::Problem& problem : problems) {
      if (problem.hole != hole) continue;
      part.begin = std::min(part.begin, problem.fill.begin);
      part.end = std::max(part.end, problem.fill.end);
    }
    return part;
  }

  // Keeps what is better than before.
  void take(const engine::InfillResult& result, const std::vector<engine::Hole>& parts,
            const std::vector<std::size_t>& owners) {
    std::vector<std::string> texts = texts_;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const std::size_t i = owners[k];
      ++checked_.holes[i].repairs;
      if (result.fills[k].masks_left > 0) continue;
      // The part's place in its fill: what stands before it in the text is as long as it was.
      std::size_t begin = spans_[i].begin;
      for (std::size_t j = 0; j < i; ++j) begin = begin - spans_[j].size() + texts_[j].size();
      texts[i].replace(parts[k].begin - begin, parts[k].end - parts[k].begin, result.fills[k].text);
      texts[i] = grammar::tidy_fill(request_.text, spans_[i], texts[i]);
    }
    if (gate_.judge(texts).size() <= gate_.judge(texts_).size()) texts_ = std::move(texts);
  }

  // Says how each hole ended. What does not parse is withheld, one hole after the other, until the
  // rest is good.
  void settle(std::vector<grammar::Problem> problems) {
    std::vector<std::string> shown = texts_;
    std::set<int> withheld;
    while (!problems.empty() && withheld.size() < texts_.size()) {
      int hole = problems.front().hole;
      // Its neutral fill is in its place already: the fault must be another's.
      for (int i = 0; withheld.contains(hole) && i < static_cast<int>(texts_.size()); ++i) {
        if (!withheld.contains(i)) hole = i;
      }
      withheld.insert(hole);
      const auto idx = static_cast<std::size_t>(hole);
      checked_.holes[idx].reason = problems.front().what;
      shown[idx] = gate_.neutral_fills()[idx];
      problems = gate_.judge(shown);
    }
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      engine::HoleFill& fill = checked_.result.fills[i];
      HoleSyntax& hole = checked_.holes[i];
      if (withheld.contains(static_cast<int>(i))) {
        hole.state = SyntaxState::Withheld;
        fill.text = std::string(request_.text.substr(spans_[i].begin, spans_[i].size()));
      } else {
        hole.state = gate_.is_sure() ? SyntaxState::Parses : SyntaxState::NoWorse;
        fill.text = texts_[i];
      }
    }
  }

  const engine::Model& model_;
  const engine::InfillRequest& request_;
  const SyntaxOptions& syntax_;
  grammar::Gate& gate_;
  CheckedInfill& checked_;
  std::vector<grammar::Span> spans_;
  std::vector<std::string> texts_;
};

}  // namespace

std::string_view name_of(SyntaxState state) {
  switch (state) {
    case SyntaxState::Unchecked:
      return "unchecked";
    case SyntaxState::Parses:
      return "parses";
    case SyntaxState::NoWorse:
      return "no worse";
    case SyntaxState::Withheld:
      return "withheld";
  }
  return "unchecked";
}

Result<CheckedInfill> checked_infill(const engine::Model& model, engine::InfillRequest request,
                                     const SyntaxOptions& syntax) {
  CheckedInfill checked;
  checked.holes.resize(request.holes.size());
  std::unique_ptr<grammar::Gate> gate;
  std::unique_ptr<SyntaxConstraint> constraint;
  const Clock::time_point begin = Clock::now();
  if (syntax.grammar != nullptr) {
    const std::vector<grammar::Span> spans = spans_of(request.holes);
    std::vector<grammar::PickedHole> places =
        grammar::describe_holes(*syntax.grammar, request.text, spans);
    for (std::size_t i = 0; i < places.size(); ++i) checked.holes[i].place = std::move(places[i]);
    gate = std::make_unique<grammar::Gate>(*syntax.grammar, request.text, spans);
    checked.errors_before = gate->errors_before();
    if (!gate->works()) {
      checked.constraint_off = "the parser does not find its way in the file";
    } else if (!gate->is_sure()) {
      checked.constraint_off = "the text around the holes is broken already";
    } else if (syntax.constrain) {
      constraint =
          std::make_unique<SyntaxConstraint>(model, *syntax.grammar, request.text, request.holes);
      request.constraint = constraint.get();
    }
  } else {
    checked.constraint_off = "there is no grammar for the language";
  }
  checked.gate_seconds = std::chrono::duration<double>(Clock::now() - begin).count();

  Result<engine::InfillResult> result = engine::infill(model, request);
  if (!result) return result.error();
  checked.result = std::move(*result);
  if (constraint) checked.constraint = constraint->counts();
  if (!gate || !gate->works()) {
    for (HoleSyntax& hole : checked.holes) hole.reason = checked.constraint_off;
    return checked;
  }
  const Clock::time_point after = Clock::now();
  const double denoising = checked.result.denoise_seconds;
  if (const Result<void> done = Checking(model, request, syntax, *gate, checked).run(); !done) {
    return done.error();
  }
  checked.gate_seconds += std::chrono::duration<double>(Clock::now() - after).count() -
                          (checked.result.denoise_seconds - denoising);
  return checked;
}

}  // namespace lacuna::daemon
