#include "daemon/http/completion_run.h"

#include <utility>

namespace lacuna::daemon::http {
namespace {

// Whether what a step decided is a beginning of the fill: tokens must not be taken back, and in a
// file of Windows the engine writes "\n" until it has the whole text.
bool can_read_steps(const FillOrder& order) {
  const engine::SamplingOptions& sampling = order.options.sampling;
  return order.text.find("\r\n") == std::string::npos && !sampling.revoke &&
         sampling.algorithm != engine::Algorithm::P2 &&
         sampling.algorithm != engine::Algorithm::Remdm;
}

class CompletionRun : public std::enable_shared_from_this<CompletionRun> {
 public:
  CompletionRun(std::shared_ptr<const CompletionContext> context,
                std::shared_ptr<Exchange> exchange, Completion completion,
                std::unique_ptr<Dialect> dialect)
      : context_(std::move(context)),
        exchange_(std::move(exchange)),
        completion_(std::move(completion)),
        dialect_(std::move(dialect)),
        growing_(completion_) {}

  void start(std::string document) {
    started_ = context_->now();
    FillOrder order = order_of(completion_, context_->options, std::move(document));
    most_tokens_ = order.options.max_hole_tokens;
    reads_steps_ = can_read_steps(order);
    is_checked_ = checking_grammar(order) != nullptr;
    FillService::OnStep on_step;
    if (reads_steps_) {
      on_step = [self = shared_from_this()](const FillStep& step) { self->on_step(step); };
    }
    ++context_->metrics->fills;
    id_ = context_->fills.submit(std::move(order), std::move(on_step),
                                 [self = shared_from_this()](Result<FillAnswer> answer) {
                                   self->on_done(std::move(answer));
                                 });
    exchange_->on_gone([self = std::weak_ptr<CompletionRun>(shared_from_this())] {
      if (const auto run = self.lock()) run->on_gone();
    });
  }

 private:
  void on_gone() {
    if (std::exchange(answered_, true)) return;
    ++context_->metrics->clients_gone;
    context_->fills.cancel(id_);
  }

  void on_step(const FillStep& step) {
    if (answered_) return;
    denoise_seconds_ += step.seconds;
    steps_ = step.step + 1;
    int tokens = 0;
    const std::string prefix = decided_prefix(step, tokens);
    ShapedText shaped = shape(completion_, prefix);
    if (shaped.reason == StopReason::StopWord && completion_.alternatives > 1) return;
    if (shaped.reason == StopReason::End && is_late()) {
      // Whole lines only: the rest of the last one may come any moment.
      const std::size_t line_end = shaped.text.rfind('\n');
      if (line_end != std::string::npos && line_end > 0) {
        shaped.text.resize(line_end);
        shaped.reason = StopReason::Limit;
      }
    }
    if (shaped.reason != StopReason::End) {
      // No step can change the text any more: the engine need not go on.
      context_->fills.cancel(id_);
      return finish_early(std::move(shaped), tokens);
    }
    // What is told cannot be taken back: a text that is still to be checked is told as a whole.
    if (completion_.stream && !is_checked_) tell(growing_.advance(prefix));
  }

  bool is_late() const {
    if (completion_.deadline_seconds <= 0) return false;
    const std::chrono::duration<double> passed = context_->now() - started_;
    return passed.count() > completion_.deadline_seconds;
  }

  void tell(const std::string& text) {
    if (text.empty()) return;
    begin_stream();
    exchange_->send(dialect_->part(text));
  }

  void begin_stream() {
    if (!std::exchange(streaming_, true)) exchange_->begin_stream(dialect_->stream_type());
  }

  void finish_early(ShapedText shaped, int tokens) {
    CompletionAnswer answer;
    answer.model = context_->fills.state().model.name;
    answer.steps = steps_;
    answer.forward_passes = steps_;
    answer.denoise_seconds = denoise_seconds_;
    answer.choices.push_back({.text = std::move(shaped.text),
                              .reason = shaped.reason,
                              .stop_word = std::move(shaped.stop_word),
                              .tokens = tokens,
                              .probability = 0});
    deliver(answer);
  }

  void on_done(Result<FillAnswer> filled) {
    --context_->metrics->fills;
    if (answered_) return;
    if (!filled) return fail_with(filled.error());
    CompletionAnswer answer;
    answer.model = filled->model;
    answer.queued_seconds = filled->queued_seconds;
    answer.load_seconds = filled->load_seconds;
    answer.denoise_seconds = filled->denoise_seconds;
    answer.context_pieces = filled->context_pieces;
    for (const engine::InfillResult& result : filled->alternatives) {
      if (result.fills.size() != 1) continue;
      const engine::HoleFill& fill = result.fills.front();
      answer.steps += result.steps;
      answer.forward_passes += result.forward_passes;
      answer.encode_seconds += result.tokenize_seconds;
      answer.context_tokens = std::max(0, result.canvas_tokens - fill.canvas_tokens);
      // A text with a gap in it is none.
      ShapedText shaped = shape(completion_, fill.masks_left == 0 ? fill.text : "");
      if (shaped.reason == StopReason::End && fill.canvas_tokens >= most_tokens_) {
        shaped.reason = StopReason::Limit;
      }
      answer.choices.push_back({.text = std::move(shaped.text),
                                .reason = shaped.reason,
                                .stop_word = std::move(shaped.stop_word),
                                .tokens = fill.canvas_tokens,
                                .probability = fill.mean_probability});
    }
    if (answer.choices.empty()) answer.choices.emplace_back();
    deliver(answer);
  }

  void deliver(const CompletionAnswer& answer) {
    answered_ = true;
    Metrics& metrics = *context_->metrics;
    metrics.prompt_tokens += static_cast<std::uint64_t>(answer.context_tokens);
    metrics.prompt_seconds += answer.encode_seconds;
    metrics.predicted_seconds += answer.denoise_seconds;
    for (const CompletionChoice& choice : answer.choices) {
      metrics.predicted_tokens += static_cast<std::uint64_t>(choice.tokens);
    }
    if (!completion_.stream) return exchange_->respond(dialect_->whole(answer));
    const std::optional<std::string> rest = growing_.finish(answer.choices.front().text);
    if (!rest) {
      return fail_with(fail(ErrorCode::Internal, "the fill changed after its begin was sent"));
    }
    begin_stream();
    exchange_->send(dialect_->last(answer, *rest));
    exchange_->end_stream();
  }

  void fail_with(const Error& error) {
    answered_ = true;
    if (!streaming_) {
      return exchange_->respond(context_->error_response(exchange_->request().path, error));
    }
    exchange_->send(dialect_->failure(error));
    exchange_->end_stream();
  }

  const std::shared_ptr<const CompletionContext> context_;
  const std::shared_ptr<Exchange> exchange_;
  const Completion completion_;
  const std::unique_ptr<Dialect> dialect_;
  GrowingText growing_;
  std::chrono::steady_clock::time_point started_;
  FillId id_ = 0;
  int most_tokens_ = 0;
  bool reads_steps_ = false;
  bool is_checked_ = false;
  bool answered_ = false;  // or nobody waits for it any more
  bool streaming_ = false;
  int steps_ = 0;
  double denoise_seconds_ = 0;
};

}  // namespace

void run_completion(const std::shared_ptr<const CompletionContext>& context,
                    std::shared_ptr<Exchange> exchange, Completion completion,
                    std::unique_ptr<Dialect> dialect, std::string document) {
  if (completion.max_tokens == 0) {
    CompletionAnswer nothing;
    nothing.model = context->fills.state().model.name;
    nothing.choices.push_back({.text = {}, .reason = StopReason::Limit, .stop_word = {}});
    if (!completion.stream) return exchange->respond(dialect->whole(nothing));
    exchange->begin_stream(dialect->stream_type());
    exchange->send(dialect->last(nothing, ""));
    return exchange->end_stream();
  }
  std::make_shared<CompletionRun>(context, std::move(exchange), std::move(completion),
                                  std::move(dialect))
      ->start(std::move(document));
}

}  // namespace lacuna::daemon::http
