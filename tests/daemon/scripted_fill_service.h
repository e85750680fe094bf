// A FillService without an engine: a test says what is answered, and when.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/fill_service.h"

namespace lacuna::daemon {

// The fills of one alternative, one text for each hole.
inline engine::InfillResult result_of(const std::vector<std::string>& texts,
                                      float probability = 0.9F) {
  engine::InfillResult result;
  for (const std::string& text : texts) {
    result.fills.push_back({.text = text,
                            .canvas_tokens = static_cast<int>(text.size()),
                            .masks_left = 0,
                            .mean_probability = probability});
  }
  result.steps = 1;
  result.forward_passes = 1;
  return result;
}

inline FillAnswer answer_of(const std::vector<std::string>& texts, float probability = 0.9F) {
  FillAnswer answer;
  answer.alternatives.push_back(result_of(texts, probability));
  answer.model = "scripted";
  return answer;
}

class ScriptedFillService : public FillService {
 public:
  // Runs a callback later, on the thread of the event loop: asio::post, or a queue of the test's.
  using Post = std::function<void(std::function<void()>)>;
  // What an order is answered with.
  using Script = std::function<Result<FillAnswer>(const FillOrder&)>;

  struct Order {
    FillOrder order;
    OnStep on_step;
    OnDone on_done;
    bool cancelled = false;
  };

  explicit ScriptedFillService(Post post) : post_(std::move(post)) {
    state_.phase = ModelPhase::Ready;
    state_.model.name = "scripted";
    state_.model.device = "cpu";
    state_.model.numbers = "f32";
    state_.model.max_canvas = 2048;
  }

  // With a script every order is answered by it; without one orders wait for finish().
  void set_script(Script script) { script_ = std::move(script); }

  FillId submit(FillOrder order, OnStep on_step, OnDone on_done) override {
    const FillId id = ++last_id_;
    ++state_.counters.submitted;
    history_.push_back(order);
    open_.emplace(id, Order{std::move(order), std::move(on_step), std::move(on_done)});
    if (script_) post_([this, id] { answer_by_script(id); });
    return id;
  }

  void cancel(FillId id) override {
    const auto found = open_.find(id);
    if (found == open_.end() || found->second.cancelled) return;
    found->second.cancelled = true;
    ++state_.counters.cancelled;
    post_([this, id] { finish(id, fail(ErrorCode::Cancelled, "cancelled")); });
  }

  void prepare() override { ++prepared; }
  EngineState state() const override { return state_; }

  ListenerId listen(std::function<void()> changed) override {
    listeners_.emplace(++last_listener_, std::move(changed));
    return last_listener_;
  }
  void unlisten(ListenerId id) override { listeners_.erase(id); }

  void set_phase(ModelPhase phase, std::string problem = {}, int loaded_percent = 0) {
    state_.phase = phase;
    state_.loaded_percent = loaded_percent;
    state_.problem = std::move(problem);
    for (const auto& [id, changed] : listeners_) changed();
  }

  // Tells an open order of a step. To be called from the event loop's thread.
  void step(FillId id, const FillStep& step) {
    const auto found = open_.find(id);
    if (found == open_.end() || found->second.cancelled || !found->second.on_step) return;
    found->second.on_step(step);
  }

  // Ends an open order; one that has ended already stays ended.
  void finish(FillId id, Result<FillAnswer> answer) {
    auto node = open_.extract(id);
    if (node.empty()) return;
    node.mapped().on_done(std::move(answer));
  }

  // Orders that have not ended, by id.
  const std::map<FillId, Order>& open() const { return open_; }
  // All orders that were ever submitted.
  const std::vector<FillOrder>& history() const { return history_; }

  int prepared = 0;

 private:
  void answer_by_script(FillId id) {
    const auto found = open_.find(id);
    if (found == open_.end() || found->second.cancelled) return;
    finish(id, script_(found->second.order));
  }

  Post post_;
  Script script_;
  EngineState state_;
  FillId last_id_ = 0;
  ListenerId last_listener_ = 0;
  std::map<FillId, Order> open_;
  std::vector<FillOrder> history_;
  std::map<ListenerId, std::function<void()>> listeners_;
};

}  // namespace lacuna::daemon
