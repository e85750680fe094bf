#include <algorithm>
#include <chrono>
#include <malloc.h>
#include <new>

#include "daemon/checked_infill.h"
#include "daemon/fill_engine.h"
#include "engine/device_memory.h"
#include "support/language.h"

namespace lacuna::daemon {
namespace {

// Further alternatives are drawn at this temperature: texts differ, and are still likely ones.
constexpr float kAlternativeTemperature = 0.7F;
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

bool same_texts(const CheckedInfill& a, const CheckedInfill& b) {
  return std::equal(a.result.fills.begin(), a.result.fills.end(), b.result.fills.begin(),
                    b.result.fills.end(),
                    [](const auto& x, const auto& y) { return x.text == y.text; });
}

int withheld_holes(const CheckedInfill& checked) {
  return static_cast<int>(
      std::count_if(checked.holes.begin(), checked.holes.end(),
                    [](const HoleSyntax& it) { return it.state == SyntaxState::Withheld; }));
}

float confidence_of(const CheckedInfill& checked) {
  float sum = 0;
  for (const engine::HoleFill& fill : checked.result.fills) sum += fill.mean_probability;
  return checked.result.fills.empty() ? 0 : sum / static_cast<float>(checked.result.fills.size());
}

// The one with fewer withheld holes, then the surer one.
bool is_better(const CheckedInfill& a, const CheckedInfill& b) {
  const int withheld_a = withheld_holes(a);
  const int withheld_b = withheld_holes(b);
  return withheld_a != withheld_b ? withheld_a < withheld_b : confidence_of(a) > confidence_of(b);
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

class ModelEngine : public FillEngine {
 public:
  explicit ModelEngine(ModelLoader loader) : loader_(std::move(loader)) {}

  bool is_loaded() const override { return loaded_ != nullptr; }

  Result<ModelFacts> load() override {
    if (loaded_) return loaded_->facts;
    try {
      Result<std::unique_ptr<LoadedModel>> loaded = loader_();
      if (!loaded) return loaded.error();
      loaded_ = std::move(*loaded);
    } catch (const std::bad_alloc&) {
      return fail(ErrorCode::Unavailable,
                  "there is not enough memory for the model; choose a smaller one");
    }
    return loaded_->facts;
  }

  void unload() override {
    loaded_.reset();
    malloc_trim(0);  // otherwise the allocator keeps what it was given back
  }

  Result<FillAnswer> fill(const FillOrder& order, const std::function<void(FillStep)>& on_step,
                          const std::stop_token& stop) override {
    try {
      return fill_all(order, on_step, stop);
    } catch (const std::bad_alloc&) {
      return fail(ErrorCode::Unavailable, "there is not enough memory for this fill");
    } catch (const kernels::DeviceError& error) {
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

  Result<FillAnswer> fill_all(const FillOrder& order, const std::function<void(FillStep)>& on_step,
                              const std::stop_token& stop) const {
    const auto start = std::chrono::steady_clock::now();
    engine::InfillRequest request = request_for(order, stop);
    const ContextText context = context_text(loaded_->model, order, request.line_comment,
                                             loaded_->facts.max_canvas / kContextShare);
    request.context = context.text;
    request.on_step = [&](const engine::InfillProgress& progress) { on_step(copy_of(progress)); };
    SyntaxOptions syntax;
    syntax.grammar = checking_grammar(order);
    std::vector<CheckedInfill> found;
    Result<CheckedInfill> first = checked_infill(loaded_->model, request, syntax);
    if (!first) return first.error();
    found.push_back(std::move(*first));
    request.on_step = nullptr;
    request.options.sampling.temperature =
        std::max(request.options.sampling.temperature, kAlternativeTemperature);
    // Draws may repeat each other: as many again are tried.
    for (int attempt = 1; attempt < 2 * order.alternatives; ++attempt) {
      if (static_cast<int>(found.size()) >= order.alternatives) break;
      request.options.sampling.seed = order.options.sampling.seed + static_cast<unsigned>(attempt);
      Result<CheckedInfill> next = checked_infill(loaded_->model, request, syntax);
      if (!next) return next.error();
      const bool known = std::any_of(found.begin(), found.end(), [&](const CheckedInfill& it) {
        return same_texts(it, *next);
      });
      if (!known) found.push_back(std::move(*next));
    }
    std::stable_sort(found.begin(), found.end(), is_better);
    FillAnswer answer;
    answer.model = loaded_->facts.name;
    answer.context_pieces = context.pieces;
    for (CheckedInfill& checked : found) {
      answer.alternatives.push_back(std::move(checked.result));
      answer.syntax.push_back(std::move(checked.holes));
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    answer.denoise_seconds = seconds.count();
    return answer;
  }

  ModelLoader loader_;
  std::unique_ptr<LoadedModel> loaded_;
};

}  // namespace

std::unique_ptr<FillEngine> make_model_engine(ModelLoader loader) {
  return std::make_unique<ModelEngine>(std::move(loader));
}

}  // namespace lacuna::daemon
