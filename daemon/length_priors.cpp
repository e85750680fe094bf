#include "daemon/length_priors.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "daemon/fill_check.h"
#include "grammar/usual_length.h"

namespace lacuna::daemon {
namespace {

constexpr double kWord = 12;  // bytes: a hole that is usually shorter has a word in it

// Of the text itself, around the holes: files differ more than languages do.
struct BytesOfToken {
  double in_text = 3;
  double in_words = 4;  // each by itself: blanks and brackets cost tokens, too
};

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '_' || byte >= 0x80 || std::isalnum(byte) != 0;
}

BytesOfToken bytes_of_token(const engine::Model& model, std::string_view text,
                            std::span<const grammar::PickedHole> places) {
  constexpr std::size_t kAround = 2048;
  constexpr std::size_t kTooLittle = 64;
  const std::size_t first = places.front().span.begin;
  const std::size_t begin = first - std::min(kAround, first);
  std::string known(text.substr(begin, first - begin));
  known += '\n';
  known += text.substr(places.back().span.end, kAround);
  if (known.size() < kTooLittle) return {};
  const auto tokens_of = [&](std::string_view part) {
    return static_cast<double>(model.tokenizer()->encode(part).size());
  };
  BytesOfToken bytes;
  bytes.in_text = static_cast<double>(known.size()) / std::max(1.0, tokens_of(known));
  double in_words = 0;
  double tokens = 0;
  for (std::size_t at = 0; at < known.size();) {
    std::size_t end = at;
    while (end < known.size() && is_word(known[end])) ++end;
    if (end > at) {
      in_words += static_cast<double>(end - at);
      tokens += tokens_of(std::string_view(known).substr(at, end - at));
    }
    at = std::max(end, at + 1);
  }
  if (tokens > 0) bytes.in_words = in_words / tokens;
  return bytes;
}

}  // namespace

std::vector<std::optional<engine::LengthPrior>> length_priors(const engine::Model& model,
                                                              const grammar::Grammar& grammar,
                                                              std::string_view text,
                                                              std::span<const engine::Hole> holes) {
  const std::vector<grammar::Span> spans = spans_of(holes);
  const auto places = grammar::describe_holes(grammar, text, spans);
  grammar::Gate gate(grammar, text, spans);
  return length_priors(model, grammar, text, places, gate);
}

std::vector<std::optional<engine::LengthPrior>> length_priors(
    const engine::Model& model, const grammar::Grammar& grammar, std::string_view text,
    std::span<const grammar::PickedHole> places, grammar::Gate& gate) {
  std::vector<std::optional<engine::LengthPrior>> priors;
  if (places.empty()) return priors;
  const BytesOfToken bytes = bytes_of_token(model, text, places);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto usual = grammar::usual_length(
        grammar.language().name, grammar::shape_of(text, places[i].span, places[i].kind));
    if (!usual) {
      priors.emplace_back();
      continue;
    }
    const double of_token = usual->mean < std::log(kWord) ? bytes.in_words : bytes.in_text;
    const std::size_t least = model.tokenizer()->encode(gate.least_fills()[i]).size();
    priors.push_back(
        engine::LengthPrior{.log_mean = std::max(0.0, usual->mean - std::log(of_token)),
                            .log_deviation = usual->deviation,
                            .least = std::max(1, static_cast<int>(least))});
  }
  return priors;
}

}  // namespace lacuna::daemon
