#include <algorithm>
#include <chrono>
#include <malloc.h>
#include <new>

#include "daemon/certainty.h"
#include "daemon/checked_alternatives.h"
#include "daemon/checked_infill.h"
#include "daemon/fill_engine.h"
#include "engine/device_memory.h"
#include "engine/resident_cache.h"
#include "grammar/rewrite.h"
#include "support/language.h"

namespace lacuna::daemon {
namespace {

// The most tokens of context, whatever a client sends; as a share of the canvas.
constexpr int kContextShare = 4;

FillStep copy_of(const engine::InfillProgress& progress) {
  FillStep step;
  for (std::size_t i = 0; i < progress.holes.size(); ++i) {
    step.holes.push_back({.hole = progress.holes[i], .tokens = progress.tokens[i]});
  }
  step.step = progress.step;
  step.steps = progress.steps;
  step.masks_left = progress.masks_left;
  step.masks_total = progress.masks_total;
  step.seconds = progress.seconds;
  return step;
}

// The pieces that fit the budget, best last: next to the file.
struct ContextText {
  std::string text;
  int pieces = 0;
};

ContextText context_text(const engine::Model& model, const FillOrder& order,
                         std::string_view line_comment, int max_tokens) {
  ContextText context;
  int used = 0;
  for (const ContextPiece& piece : order.context) {
    std::string text;
    if (!piece.path.empty()) {
      text += std::string(line_comment.empty() ? "#" : line_comment) + " " + piece.path + "\n";
    }
    text += piece.text;
    if (text.empty()) continue;
    if (text.back() != '\n') text += '\n';
    const int tokens = static_cast<int>(model.tokenizer()->encode(text).size());
    if (used + tokens > max_tokens) continue;
    used += tokens;
    context.text.insert(0, text);
    ++context.pieces;
  }
  return context;
}

// The mean over holes of their mean probability.
float confidence_of(const engine::InfillResult& result) {
  float sum = 0;
  for (const engine::HoleFill& fill : result.fills) sum += fill.mean_probability;
  return result.fills.empty() ? 0 : sum / static_cast<float>(result.fills.size());
}

// Those without a problem: the fill of the request's own sampling first, if it is among them, then
// the surest. Where all have one, the first as it is, with what had to be withheld.
std::vector<CheckedInfill> shown_of(std::vector<CheckedAlternative> alternatives) {
  std::vector<CheckedInfill> shown;
  const bool has_own = alternatives.front().problem.empty();
  for (CheckedAlternative& it : alternatives) {
    if (it.problem.empty()) shown.push_back(std::move(it.checked));
  }
  if (shown.empty()) shown.push_back(std::move(alternatives.front().checked));
  std::stable_sort(shown.begin() + (has_own ? 1 : 0), shown.end(),
                   [](const CheckedInfill& a, const CheckedInfill& b) {
                     return confidence_of(a.result) > confidence_of(b.result);
                   });
  return shown;
}

class ModelEngine : public FillEngine {
 public:
  explicit ModelEngine(ModelLoader loader) : loader_(std::move(loader)) {}

  bool is_loaded() const override { return loaded_ != nullptr; }

  Result<ModelFacts> load(const engine::LoadProgress& on_progress) override {
    if (loaded_) return loaded_->facts;
    try {
      Result<std::unique_ptr<LoadedModel>> loaded = loader_(on_progress);
      if (!loaded) return loaded.error();
      loaded_ = std::move(*loaded);
    } catch (const std::bad_alloc&) {
      return fail(ErrorCode::Unavailable,
                  "there is not enough memory for the model; choose a smaller one");
    }
    return loaded_->facts;
  }

  void unload() override {
    resident_.clear();
    loaded_.reset();
    malloc_trim(0);  // otherwise the allocator keeps what it was given back
  }

  Result<FillAnswer> fill(const FillOrder& order, const std::function<void(FillStep)>& on_step,
                          const std::stop_token& stop) override {
    try {
      if (order.least_certain) return choose_parts(order, stop);
      return fill_all(order, on_step, stop);
    } catch (const std::bad_alloc&) {
      resident_.clear();
      return fail(ErrorCode::Unavailable, "there is not enough memory for this fill");
    } catch (const kernels::DeviceError& error) {
      resident_.clear();
      return engine::device_failure(error);
    }
  }

 private:
  engine::InfillRequest request_for(const FillOrder& order, const std::stop_token& stop) const {
    engine::InfillRequest request;
    request.text = order.text;
    request.holes = order.holes;
    request.options = order.options;
    request.stop = stop;
    if (const auto* language = language_named(order.language); language != nullptr) {
      request.language = language->model_name;
      request.line_comment = language->line_comment;
    }
    const engine::Model& model = loaded_->model;
    const bool can_probe = model.length_calibration().has_value();
    if (request.options.length == engine::LengthMode::Probe && !can_probe) {
      const bool elastic = model.config().expand_token && model.config().delete_token;
      request.options.length = elastic ? engine::LengthMode::Elastic : engine::LengthMode::Fixed;
    }
    return request;
  }

  Result<std::vector<CheckedInfill>> fill_checked(const engine::InfillRequest& request,
                                                  const SyntaxOptions& syntax, int number) const {
    const engine::Model& model = loaded_->model;
    if (number > 1) {
      auto alternatives = checked_alternatives(model, request, syntax, number);
      if (!alternatives) return alternatives.error();
      return shown_of(std::move(*alternatives));
    }
    Result<CheckedInfill> one = checked_infill(model, request, syntax);
    if (!one) return one.error();
    std::vector<CheckedInfill> found;
    found.push_back(std::move(*one));
    return found;
  }

  // Which parts of a function are to be written again.
  Result<FillAnswer> choose_parts(const FillOrder& order, const std::stop_token& stop) const {
    const grammar::Grammar* grammar = grammar::grammar_of(language_named(order.language));
    const auto tree = grammar == nullptr ? std::nullopt : grammar::parse(*grammar, order.text);
    if (!tree) return fail(ErrorCode::InvalidInput, "the parser does not find its way in the file");
    const engine::InfillRequest request = request_for(order, stop);
    grammar::PickedHole body;
    body.span = {order.holes.front().begin, order.holes.front().end};
    const auto certainty = certainty_of(loaded_->model, request, body.span);
    if (!certainty) return certainty.error();
    FillAnswer answer;
    answer.model = loaded_->facts.name;
    for (const grammar::PickedHole& part :
         grammar::least_certain(order.text, *tree, body, *certainty, *order.least_certain)) {
      answer.least_certain.push_back(
          {.begin = part.span.begin, .end = part.span.end, .tokens = {}, .hint = {}});
    }
    return answer;
  }

  Result<FillAnswer> fill_all(const FillOrder& order, const std::function<void(FillStep)>& on_step,
                              const std::stop_token& stop) {
    const auto start = std::chrono::steady_clock::now();
    engine::InfillRequest request = request_for(order, stop);
    const ContextText context = context_text(loaded_->model, order, request.line_comment,
                                             loaded_->facts.max_canvas / kContextShare);
    request.context = context.text;
    if (request.options.reuse_edits > 0) {
      request.resident = &resident_;
      request.document = order.session + "\n" + order.document;
      // Nobody waits for what is computed in advance: it begins anew, for the next keystroke to use.
      if (order.priority == Priority::Background) request.options.reuse_edits = 0;
    }
    request.on_step = [&](const engine::InfillProgress& progress) { on_step(copy_of(progress)); };
    SyntaxOptions syntax;
    syntax.grammar = checking_grammar(order);
    Result<std::vector<CheckedInfill>> found = fill_checked(request, syntax, order.alternatives);
    if (!found) return found.error();
    FillAnswer answer;
    answer.model = loaded_->facts.name;
    answer.context_pieces = context.pieces;
    for (CheckedInfill& checked : *found) {
      answer.alternatives.push_back(std::move(checked.result));
      answer.syntax.push_back(std::move(checked.holes));
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    answer.denoise_seconds = seconds.count();
    return answer;
  }

  ModelLoader loader_;
  std::unique_ptr<LoadedModel> loaded_;
  engine::ResidentCache resident_;  // of what is loaded: gone before it
};

}  // namespace

std::unique_ptr<FillEngine> make_model_engine(ModelLoader loader) {
  return std::make_unique<ModelEngine>(std::move(loader));
}

}  // namespace lacuna::daemon
