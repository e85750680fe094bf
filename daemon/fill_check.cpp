#include "daemon/fill_check.h"

#include <algorithm>
#include <memory>
#include <set>

#include "daemon/length_priors.h"
#include "grammar/tidy_fill.h"
#include "support/processor_time.h"

namespace lacuna::daemon {
namespace {

constexpr const char* kTooSlow = "the file, as it is, takes too long to parse";
constexpr double kDescribeSeconds = 0.05;  // of processor time

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
        texts_(texts_of(checked.result.fills)),
        problems_(texts_.size()) {}

  Result<void> run() {
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (is_finished(i)) texts_[i] = grammar::tidy_fill(request_.text, spans_[i], texts_[i]);
    }
    admit_all();
    if (request_.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    for (int round = 1; round <= syntax_.repairs && admitted_.size() < texts_.size(); ++round) {
      if (const Result<void> done = repair(round); !done) return done;
    }
    settle();
    return {};
  }

  double fill_seconds() const { return fill_seconds_; }  // of the repairs

 private:
  bool is_finished(std::size_t i) const { return checked_.result.fills[i].masks_left == 0; }
  bool is_admitted(std::size_t i) const { return admitted_.contains(i); }

  // What `fill` in hole i breaks while the admitted fills are in their places and neutral ones in
  // those of the others, so that no hole answers for another.
  std::vector<grammar::Problem> problems_with(std::size_t i, const std::string& fill) {
    std::vector<std::string> fills = gate_.neutral_fills();
    for (const std::size_t k : admitted_) fills[k] = texts_[k];
    fills[i] = fill;
    return gate_.judge(fills);
  }

  void admit_all() {
    std::vector<std::string> finished = gate_.neutral_fills();
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (is_finished(i)) finished[i] = texts_[i];
    }
    // Mostly all is well. Holes that need each other, as two brackets do, are so together only.
    const bool all_well = gate_.judge(finished).empty();
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (!is_finished(i)) {
        problems_[i] = {{.hole = static_cast<int>(i),
                         .fill = {0, texts_[i].size()},
                         .what = "every token for a place in it was refused"}};
      } else if (all_well) {
        admitted_.insert(i);
      }
    }
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (request_.stop.stop_requested()) return;  // run() says so
      if (is_finished(i)) admit(i, texts_[i]);
    }
  }

  // Takes a fill for a hole if it breaks nothing, with or without what it repeats of the text behind
  // it: a repeated line goes, a repeated bracket or word only where it is in the way.
  // Says whether the hole has it now.
  bool admit(std::size_t i, std::string fill) {
    std::vector<grammar::Problem> problems = problems_with(i, fill);
    for (const std::size_t n : grammar::repeated_after(request_.text, spans_[i], fill)) {
      const std::string_view repeated = std::string_view(fill).substr(fill.size() - n);
      if (problems.empty() && !grammar::is_whole_line(repeated)) continue;
      const std::string shorter = fill.substr(0, fill.size() - n);
      if (!problems_with(i, shorter).empty()) continue;
      checked_.holes[i].repeated += static_cast<int>(n);
      fill = shorter;
      problems.clear();
      break;
    }
    // What is worse than before is no start for another repair.
    const bool better = problems_[i].empty() || problems.size() <= problems_[i].size();
    if (!problems.empty() && !better) return false;
    texts_[i] = std::move(fill);
    if (problems.empty()) admitted_.insert(i);
    problems_[i] = std::move(problems);
    return true;
  }

  // Writes the lines with problems again; in the last round the whole fills, without ever leaving
  // what parses.
  Result<void> repair(int round) {
    const bool last = round == syntax_.repairs;
    std::vector<engine::Hole> parts;
    std::vector<std::size_t> owners;
    std::string text;
    std::size_t at = 0;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      text += request_.text.substr(at, spans_[i].begin - at);
      if (!is_admitted(i)) {
        const grammar::Span all{0, texts_[i].size()};
        const grammar::Span part = last ? all : part_of(i);
        const int tokens = part == all ? checked_.result.fills[i].canvas_tokens : 0;
        parts.push_back({.begin = text.size() + part.begin,
                         .end = text.size() + part.end,
                         .tokens = std::max(tokens, tokens_for(part.size())),
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
    again.resident = nullptr;
    again.options.length = engine::LengthMode::Fixed;
    again.options.sampling.seed += static_cast<std::uint64_t>(round);
    again.options.sampling.temperature = 0;
    std::unique_ptr<SyntaxConstraint> constraint;
    if (gate_.is_sure()) {
      const auto keep =
          last ? SyntaxConstraint::Keep::Always : SyntaxConstraint::Keep::WhenLittleIsLeft;
      const grammar::Gate gate(*syntax_.grammar, text, spans_of(parts), {}, request_.stop);
      constraint =
          std::make_unique<SyntaxConstraint>(model_, *syntax_.grammar, gate, request_.stop, keep);
      again.constraint = constraint.get();
    }
    const double begin = thread_seconds();
    const Result<engine::InfillResult> result = engine::infill(model_, again);
    fill_seconds_ += thread_seconds() - begin;
    if (!result) return result.error();
    checked_.result.forward_passes += result->forward_passes;
    checked_.result.denoise_seconds += result->denoise_seconds;
    take(*result, parts, owners);
    return {};
  }

  // The lines of a fill that have problems, from the first to the last; all of it where the problems
  // are around it.
  grammar::Span part_of(std::size_t i) const {
    grammar::Span part{texts_[i].size(), 0};
    for (const grammar::Problem& problem : problems_[i]) {
      if (problem.hole != static_cast<int>(i)) continue;
      part.begin = std::min(part.begin, problem.fill.begin);
      part.end = std::max(part.end, problem.fill.end);
    }
    return part.begin <= part.end ? part : grammar::Span{0, texts_[i].size()};
  }

  void take(const engine::InfillResult& result, const std::vector<engine::Hole>& parts,
            const std::vector<std::size_t>& owners) {
    // Where each part is in its fill: what stands before it in the text is as long as it was.
    std::vector<std::string> texts = texts_;
    std::vector<bool> is_whole;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const std::size_t i = owners[k];
      std::size_t begin = spans_[i].begin;
      for (std::size_t j = 0; j < i; ++j) begin = begin - spans_[j].size() + texts_[j].size();
      is_whole.push_back(parts[k].end - parts[k].begin == texts_[i].size());
      texts[i].replace(parts[k].begin - begin, parts[k].end - parts[k].begin, result.fills[k].text);
      texts[i] = grammar::tidy_fill(request_.text, spans_[i], texts[i]);
    }
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const std::size_t i = owners[k];
      ++checked_.holes[i].repairs;
      if (result.fills[k].masks_left > 0 || !admit(i, std::move(texts[i]))) continue;
      // A fill of which a part was written again is as sure as the less sure of the two.
      const float sure = result.fills[k].mean_probability;
      float& mean = checked_.result.fills[i].mean_probability;
      mean = is_whole[k] ? sure : std::min(mean, sure);
    }
  }

  // Says how each hole ended. What does not parse is withheld.
  void settle() {
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      engine::HoleFill& fill = checked_.result.fills[i];
      HoleSyntax& hole = checked_.holes[i];
      fill.masks_left = 0;  // what is withheld has its own text, without masks
      if (is_admitted(i)) {
        hole.state = gate_.is_strict() ? SyntaxState::Parses : SyntaxState::NoWorse;
        if (gate_.is_out_of_time() && !gate_.is_strict()) {
          hole.state = SyntaxState::Unchecked;
          hole.reason = kTooSlow;
        }
        fill.text = texts_[i];
      } else {
        hole.state = SyntaxState::Withheld;
        hole.reason = problems_[i].front().what;
        fill.text = std::string(request_.text.substr(spans_[i].begin, spans_[i].size()));
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
  std::vector<std::vector<grammar::Problem>> problems_;  // of those that are not admitted
  std::set<std::size_t> admitted_;                       // holes
  double fill_seconds_ = 0;
};

}  // namespace

std::vector<grammar::Span> spans_of(std::span<const engine::Hole> holes) {
  std::vector<grammar::Span> spans;
  spans.reserve(holes.size());
  for (const engine::Hole& hole : holes) spans.push_back({hole.begin, hole.end});
  return spans;
}

Result<std::unique_ptr<grammar::Gate>> begin_checks(const engine::Model& model,
                                                    engine::InfillRequest& request,
                                                    const SyntaxOptions& syntax,
                                                    CheckedInfill& checked) {
  checked.holes.resize(request.holes.size());
  const auto unchecked = [&](const char* why) {
    checked.constraint_off = why;
    for (HoleSyntax& hole : checked.holes) hole.reason = why;
    return std::unique_ptr<grammar::Gate>();
  };
  if (syntax.grammar == nullptr) return unchecked("there is no grammar for the language");
  const std::vector<grammar::Span> spans = spans_of(request.holes);
  const double begin = thread_seconds();
  std::vector<grammar::PickedHole> places =
      grammar::describe_holes(*syntax.grammar, request.text, spans,
                              {.stop = request.stop, .until = begin + kDescribeSeconds});
  // Each of these looks at all of the text: in a long file that takes time.
  if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
  auto gate = std::make_unique<grammar::Gate>(*syntax.grammar, request.text, spans,
                                              std::vector<std::string>{}, request.stop);
  if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
  if (request.options.length == engine::LengthMode::Probe) {
    request.length_priors = length_priors(model, *syntax.grammar, request.text, places, *gate);
  }
  for (std::size_t i = 0; i < places.size(); ++i) checked.holes[i].place = std::move(places[i]);
  checked.errors_before = gate->errors_before();
  if (request.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
  if (gate->is_out_of_time() && !gate->works()) return unchecked(kTooSlow);
  if (!gate->works()) return unchecked("the parser does not find its way in the file");
  if (gate->is_out_of_time()) {
    checked.constraint_off = kTooSlow;
  } else if (gate->is_strict() && !gate->is_sure()) {
    checked.constraint_off = "nothing simple was found that parses in the holes";
  } else if (!gate->is_sure()) {
    checked.constraint_off = "the text around the holes is broken already";
  }
  return gate;
}

Result<void> check_fills(const engine::Model& model, const engine::InfillRequest& request,
                         const SyntaxOptions& syntax, grammar::Gate& gate, CheckedInfill& checked) {
  const double begin = thread_seconds();
  Checking checking(model, request, syntax, gate, checked);
  Result<void> done = checking.run();
  checked.gate_seconds += thread_seconds() - begin - checking.fill_seconds();
  return done;
}

}  // namespace lacuna::daemon
