#include "cli/eval/length.h"

#include <algorithm>
#include <charconv>

#include "cli/fill.h"

namespace lacuna::cli {
namespace {

constexpr std::string_view kFixed = "fixed:";

}  // namespace

std::string LengthRegime::name() const {
  if (kind == Kind::Auto) return std::string(engine::name_of(mode));
  return kind == Kind::Oracle ? "oracle" : std::string(kFixed) + std::to_string(tokens);
}

Result<LengthRegime> parse_length(std::string_view text) {
  if (text == "oracle") return LengthRegime{.kind = LengthRegime::Kind::Oracle};
  for (const auto mode : {engine::LengthMode::Probe, engine::LengthMode::Elastic}) {
    if (text == engine::name_of(mode)) {
      return LengthRegime{.kind = LengthRegime::Kind::Auto, .mode = mode};
    }
  }
  if (text.substr(0, kFixed.size()) == kFixed) {
    int tokens = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + kFixed.size(), end, tokens);
    if (error == std::errc() && stop == end && tokens >= 1 && tokens <= kMaxHoleTokens) {
      return LengthRegime{.kind = LengthRegime::Kind::Fixed, .tokens = tokens};
    }
  }
  return fail(ErrorCode::InvalidInput,
              "'" + std::string(text) + "' is no length; there are fixed:N, with N up to " +
                  std::to_string(kMaxHoleTokens) + ", oracle, probe and elastic");
}

int canvas_length(const LengthRegime& regime, const EvalCase& it, const engine::Model& model) {
  switch (regime.kind) {
    case LengthRegime::Kind::Fixed:
      return regime.tokens;
    case LengthRegime::Kind::Oracle:
      return std::max(1, static_cast<int>(model.tokenizer()->encode(it.reference).size()));
    case LengthRegime::Kind::Auto:
      return kDefaultHoleTokens;
  }
  return 1;
}

}  // namespace lacuna::cli
