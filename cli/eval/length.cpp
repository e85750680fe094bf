#include "cli/eval/length.h"

#include <algorithm>
#include <charconv>

#include "cli/fill.h"

namespace lacuna::cli {
namespace {

constexpr std::string_view kFixed = "fixed:";

}  // namespace

std::string LengthRegime::name() const {
  return kind == Kind::Oracle ? "oracle" : std::string(kFixed) + std::to_string(tokens);
}

Result<LengthRegime> parse_length(std::string_view text) {
  if (text == "oracle") return LengthRegime{LengthRegime::Kind::Oracle, 0};
  if (text == "auto") {
    return fail(ErrorCode::InvalidInput,
                "the length 'auto' is not built yet; give fixed:N or oracle");
  }
  if (text.substr(0, kFixed.size()) == kFixed) {
    int tokens = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + kFixed.size(), end, tokens);
    if (error == std::errc() && stop == end && tokens >= 1 && tokens <= kMaxHoleTokens) {
      return LengthRegime{LengthRegime::Kind::Fixed, tokens};
    }
  }
  return fail(ErrorCode::InvalidInput, "'" + std::string(text) +
                                           "' is no length; there are fixed:N, with N up to " +
                                           std::to_string(kMaxHoleTokens) + ", and oracle");
}

int canvas_length(const LengthRegime& regime, const EvalCase& it, const engine::Model& model) {
  switch (regime.kind) {
    case LengthRegime::Kind::Fixed:
      return regime.tokens;
    case LengthRegime::Kind::Oracle:
      return std::max(1, static_cast<int>(model.tokenizer()->encode(it.reference).size()));
  }
  return 1;
}

}  // namespace lacuna::cli
