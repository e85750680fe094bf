// A FillEngine without a model. The document says what it is filled with: the last line that holds
// `script:` and words like
//   fill=TEXT|TEXT   what holes become, in turn; \n is a line end, \_ a blank (default: "filled")
//   alt=TEXT|TEXT    further alternatives of the first hole
//   steps=N          steps before the fill is done (default 1), between which it can be cancelled
//   until_stopped    never done: only a stop ends it
//   confidence=X     mean probability (default 0.9)
//   withhold=N|N     holes for which nothing was found that parses; others parse
//   parts=A-B|C-D    of a hole whose least certain parts are asked for: these bytes of it
//   out_of_memory    as if none was left in the middle of the fill
//   fail=TEXT        fails with this message, \_ for blanks
#pragma once

#include <algorithm>
#include <atomic>
#include <new>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "daemon/fill_engine.h"

namespace lacuna::daemon {

struct FillScript {
  std::vector<std::string> fills = {"filled"};
  std::vector<std::string> alternatives;
  int steps = 1;
  bool until_stopped = false;
  bool out_of_memory = false;
  float confidence = 0.9F;
  std::vector<std::string> withheld;  // indices of holes
  std::vector<std::string> parts;
  std::string failure;
};

inline std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    out += text[i] == 'n' ? '\n' : text[i] == '_' ? ' ' : text[i];
  }
  return out;
}

inline std::vector<std::string> split_texts(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, '|');) parts.push_back(unescaped(part));
  return parts;
}

inline FillScript script_of(const std::string& text) {
  FillScript script;
  const std::size_t at = text.rfind("script:");
  if (at == std::string::npos) return script;
  std::stringstream line(text.substr(at + 7, text.find('\n', at) - at - 7));
  for (std::string word; line >> word;) {
    const std::size_t equals = word.find('=');
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    const std::string key = word.substr(0, equals);
    if (key == "fill") script.fills = split_texts(value);
    if (key == "alt") script.alternatives = split_texts(value);
    if (key == "steps") script.steps = std::stoi(value);
    if (key == "until_stopped") script.until_stopped = true;
    if (key == "out_of_memory") script.out_of_memory = true;
    if (key == "confidence") script.confidence = std::stof(value);
    if (key == "withhold") script.withheld = split_texts(value);
    if (key == "parts") script.parts = split_texts(value);
    if (key == "fail") script.failure = unescaped(value);
  }
  return script;
}

class ScriptedEngine : public FillEngine {
 public:
  bool is_loaded() const override { return loaded_; }

  Result<ModelFacts> load(const engine::LoadProgress& on_progress) override {
    if (fail_loads > 0) {
      --fail_loads;
      return fail(ErrorCode::NotFound, "there is no model 'scripted'");
    }
    while (hold_load) std::this_thread::yield();
    for (int part = 1; part <= 4; ++part) on_progress(part, 4);
    loaded_ = true;
    ++loads;
    return ModelFacts{.name = "scripted", .device = "cpu", .numbers = "none", .max_canvas = 2048};
  }

  void unload() override {
    loaded_ = false;
    ++unloads;
  }

  Result<FillAnswer> fill(const FillOrder& order, const std::function<void(FillStep)>& on_step,
                          const std::stop_token& stop) override {
    ++fills;
    const FillScript script = script_of(order.text);
    for (int step = 0; step < script.steps || script.until_stopped; ++step) {
      if (stop.stop_requested()) return fail(ErrorCode::Cancelled, "cancelled");
      if (step < script.steps) on_step(state_at(order, script, step));
      if (script.until_stopped) std::this_thread::yield();
    }
    if (script.out_of_memory) throw std::bad_alloc();
    if (!script.failure.empty()) return fail(ErrorCode::Unavailable, script.failure);
    FillAnswer answer;
    answer.model = "scripted";
    if (order.least_certain) {
      for (const std::string& part : script.parts) {
        const std::size_t begin = order.holes.front().begin;
        answer.least_certain.push_back({.begin = begin + std::stoul(part),
                                        .end = begin + std::stoul(part.substr(part.find('-') + 1)),
                                        .tokens = {},
                                        .hint = {}});
      }
      return answer;
    }
    answer.context_pieces = static_cast<int>(order.context.size());
    answer.alternatives.push_back(result_with(order, script, script.fills.front()));
    for (const std::string& text : script.alternatives) {
      if (static_cast<int>(answer.alternatives.size()) >= order.alternatives) break;
      answer.alternatives.push_back(result_with(order, script, text));
    }
    if (!script.withheld.empty()) withhold(order, script, answer);
    return answer;
  }

  std::atomic<int> fail_loads = 0;      // how many loads are to fail
  std::atomic<bool> hold_load = false;  // a load waits until this is false
  std::atomic<int> loads = 0;
  std::atomic<int> unloads = 0;
  std::atomic<int> fills = 0;

 private:
  static FillStep state_at(const FillOrder& order, const FillScript& script, int step) {
    FillStep state;
    const bool last = step + 1 == script.steps;
    for (std::size_t i = 0; i < order.holes.size(); ++i) {
      const std::string& text = script.fills[i % script.fills.size()];
      state.holes.push_back({.hole = static_cast<int>(i),
                             .tokens = {{.masked = !last,
                                         .text = last ? text : "",
                                         .probability = last ? script.confidence : 0}}});
    }
    state.step = step;
    state.steps = script.steps;
    state.masks_total = static_cast<int>(order.holes.size());
    state.masks_left = last ? 0 : state.masks_total;
    return state;
  }

  // As checked_infill() does: a withheld hole has its own text.
  static void withhold(const FillOrder& order, const FillScript& script, FillAnswer& answer) {
    answer.syntax.resize(1);
    for (std::size_t i = 0; i < order.holes.size(); ++i) {
      HoleSyntax& syntax = answer.syntax[0].emplace_back();
      syntax.state = SyntaxState::Parses;
      const auto& names = script.withheld;
      if (std::find(names.begin(), names.end(), std::to_string(i)) == names.end()) continue;
      syntax.state = SyntaxState::Withheld;
      syntax.reason = "unexpected `)`";
      const engine::Hole& hole = order.holes[i];
      answer.alternatives[0].fills[i].text = order.text.substr(hole.begin, hole.end - hole.begin);
    }
  }

  static engine::InfillResult result_with(const FillOrder& order, const FillScript& script,
                                          const std::string& first) {
    engine::InfillResult result;
    for (std::size_t i = 0; i < order.holes.size(); ++i) {
      result.fills.push_back({.text = i == 0 ? first : script.fills[i % script.fills.size()],
                              .canvas_tokens = 1,
                              .masks_left = 0,
                              .mean_probability = script.confidence});
    }
    result.steps = script.steps;
    result.forward_passes = script.steps;
    return result;
  }

  bool loaded_ = false;
};

}  // namespace lacuna::daemon
