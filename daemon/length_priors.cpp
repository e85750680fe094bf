#include "daemon/length_priors.h"

#include <algorithm>
#include <cmath>

#include "grammar/usual_length.h"

namespace lacuna::daemon {
namespace {

// Of the text itself, around the holes: files differ more than languages do.
double bytes_of_a_token(const engine::Model& model, std::string_view text,
                        std::span<const grammar::PickedHole> places) {
  constexpr std::size_t kAround = 2048;
  constexpr std::size_t kTooLittle = 64;
  constexpr double kUsual = 3;
  const std::size_t first = places.front().span.begin;
  const std::size_t begin = first - std::min(kAround, first);
  std::string known(text.substr(begin, first - begin));
  known += text.substr(places.back().span.end, kAround);
  if (known.size() < kTooLittle) return kUsual;
  const std::size_t tokens = model.tokenizer()->encode(known).size();
  return static_cast<double>(known.size()) / static_cast<double>(std::max<std::size_t>(1, tokens));
}

}  // namespace

std::vector<std::optional<engine::LengthPrior>> length_priors(const engine::Model& model,
                                                              const grammar::Grammar& grammar,
                                                              std::string_view text,
                                                              std::span<const engine::Hole> holes) {
  std::vector<grammar::Span> spans;
  spans.reserve(holes.size());
  for (const engine::Hole& hole : holes) spans.push_back({hole.begin, hole.end});
  const auto places = grammar::describe_holes(grammar, text, spans);
  return length_priors(model, grammar, text, places, grammar::Gate(grammar, text, spans));
}

std::vector<std::optional<engine::LengthPrior>> length_priors(
    const engine::Model& model, const grammar::Grammar& grammar, std::string_view text,
    std::span<const grammar::PickedHole> places, const grammar::Gate& gate) {
  std::vector<std::optional<engine::LengthPrior>> priors;
  if (places.empty()) return priors;
  const double bytes = bytes_of_a_token(model, text, places);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto usual = grammar::usual_length(
        grammar.language().name, grammar::shape_of(text, places[i].span, places[i].kind));
    if (!usual) {
      priors.emplace_back();
      continue;
    }
    const std::size_t least = model.tokenizer()->encode(gate.least_fills()[i]).size();
    priors.push_back(engine::LengthPrior{.log_mean = std::max(0.0, usual->mean - std::log(bytes)),
                                         .log_deviation = usual->deviation,
                                         .least = std::max(1, static_cast<int>(least))});
  }
  return priors;
}

}  // namespace lacuna::daemon
