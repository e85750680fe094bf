#include "daemon/certainty.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>

#include "engine/canvas.h"
#include "engine/transformer_predictor.h"

namespace lacuna::daemon {
namespace {

using Tokens = std::vector<std::int32_t>;

// A part of the text as the model sees it.
struct Visible {
  std::string text;
  std::vector<std::size_t> origin;  // of each byte, in the text
};

Visible visible(std::string_view text, grammar::Span part) {
  Visible result;
  for (std::size_t i = part.begin; i < part.end; ++i) {
    if (text[i] == '\r' && i + 1 < part.end && text[i + 1] == '\n') continue;
    result.text += text[i];
    result.origin.push_back(i);
  }
  return result;
}

// Where each token ends in a text of `size` bytes. A tokenizer may give its first token without the
// blank that stood before it, so tokens are not looked at one by one.
std::vector<std::size_t> ends_of(const engine::Tokenizer& tokenizer, const Tokens& tokens,
                                 std::size_t size) {
  std::vector<std::size_t> ends;
  for (std::size_t n = 1; n <= tokens.size(); ++n) {
    ends.push_back(std::min(size, tokenizer.decode(std::span(tokens).first(n)).size()));
  }
  if (!ends.empty()) ends.back() = size;
  return ends;
}

class Scorer {
 public:
  Scorer(const engine::Model& model, const engine::InfillRequest& request)
      : model_(model),
        request_(request),
        allowed_(model.text_tokens()),
        limit_(engine::canvas_limit(model, request.options)),
        certainty_(request.text.size(), 1.0F) {}

  Result<void> score(grammar::Span part) {
    const Visible seen = visible(request_.text, part);
    const Tokens tokens = model_.tokenizer()->encode(seen.text);
    if (tokens.empty()) return {};
    if (tokens.size() > static_cast<std::size_t>(limit_) / 2) {
      if (const std::size_t middle = line_near_middle(part); middle != part.end) {
        if (const Result<void> first = score({part.begin, middle}); !first) return first;
        return score({middle, part.end});
      }
    }
    return score_tokens(part, seen, tokens);
  }

  std::vector<float> take() { return std::move(certainty_); }

 private:
  // The begin of a line inside of the part; its end when there is none.
  std::size_t line_near_middle(grammar::Span part) const {
    const std::size_t half = part.begin + part.size() / 2;
    std::size_t line = request_.text.find('\n', half);
    if (line == std::string_view::npos || line + 1 >= part.end) {
      line = request_.text.rfind('\n', half);
      if (line == std::string_view::npos || line < part.begin) return part.end;
    }
    return line + 1;
  }

  Result<void> score_tokens(grammar::Span part, const Visible& seen, const Tokens& tokens) {
    const int count = static_cast<int>(tokens.size());
    const std::vector<engine::Hole> holes = {
        {.begin = part.begin, .end = part.end, .tokens = count, .hint = {}}};
    const Result<engine::Canvas> canvas =
        engine::build_canvas(model_, {.text = request_.text,
                                      .holes = holes,
                                      .filled = {},
                                      .language = request_.language,
                                      .line_comment = request_.line_comment,
                                      .context = request_.context,
                                      .default_hole_tokens = count,
                                      .max_tokens = limit_});
    if (!canvas) return canvas.error();
    Tokens known = canvas->tokens;
    const int begin = canvas->holes[0].begin;
    std::copy(tokens.begin(), tokens.end(), known.begin() + begin);
    engine::TransformerPredictor predictor(model_.transformer(), model_.context(),
                                           static_cast<int>(known.size()), model_.precision());
    Tokens rows(known.size());
    std::iota(rows.begin(), rows.end(), 0);
    const std::vector<std::size_t> ends = ends_of(*model_.tokenizer(), tokens, seen.text.size());
    for (int group = 0; group < std::min(count, kMaskedTogether); ++group) {
      Tokens some = known;
      Tokens masked;
      Tokens given;
      for (int i = group; i < count; i += kMaskedTogether) {
        some[begin + i] = model_.mask_token();
        masked.push_back(begin + i);
        given.push_back(tokens[i]);
      }
      engine::PredictRequest wanted{.canvas = some,
                                    .rows = rows,
                                    .masked = masked,
                                    .draw = {},
                                    .random = &random_,
                                    .step = 0,
                                    .given = given,
                                    .stop = &request_.stop};
      wanted.draw.allowed = allowed_;
      std::vector<engine::Candidate> candidates(masked.size());
      predictor.predict(wanted, candidates);
      if (request_.stop.stop_requested()) break;  // the pass may have been left
      for (std::size_t k = 0; k < candidates.size(); ++k) {
        const std::size_t token = static_cast<std::size_t>(masked[k] - begin);
        const std::size_t from = token == 0 ? 0 : ends[token - 1];
        const std::size_t bytes = std::max<std::size_t>(1, ends[token] - from);
        const float share = std::pow(candidates[k].probability, 1.0F / static_cast<float>(bytes));
        for (std::size_t i = from; i < ends[token]; ++i) certainty_[seen.origin[i]] = share;
      }
    }
    if (request_.stop.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    return {};
  }

  const engine::Model& model_;
  const engine::InfillRequest& request_;
  const std::vector<std::uint8_t> allowed_;
  const int limit_;
  const engine::Random random_{0};
  std::vector<float> certainty_;
};

}  // namespace

Result<std::vector<float>> certainty_of(const engine::Model& model,
                                        const engine::InfillRequest& request, grammar::Span part) {
  Scorer scorer(model, request);
  if (const Result<void> done = scorer.score(part); !done) return done.error();
  return scorer.take();
}

}  // namespace lacuna::daemon
