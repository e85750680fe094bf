// A step of few rows as a device sees it that keeps all numbers of it in its own memory: then what
// was queued for one step can be taken down once and started again for every other one, in one call
// (CUDA graphs). Only backends that are not on the host have it.
//
// A step is padded to 8, 16, 32, 64 or 128 rows, its bucket. Rows that nobody asked for are computed
// like the others: they have token 0 and position 0, their keys and values go nowhere, nothing
// attends for them, and nothing reads what comes of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/kernels.h"

namespace lacuna::kernels {

class Memory;

inline constexpr int kLeastStepRows = 8;
inline constexpr int kStepRows = 128;  // the most
inline constexpr int kStepParts = 8;   // canvases
// Where logits are shifted row 0 of a canvas predicts two positions.
inline constexpr int kStepDraws = kStepRows + kStepParts;
inline constexpr int kStepBans = 1024;

// The smallest bucket that has room for so many rows; 0: none has.
constexpr int step_bucket(int rows) {
  int bucket = kLeastStepRows;
  while (bucket < rows) bucket *= 2;
  return bucket > kStepRows ? 0 : bucket;
}

enum class RowConfidence : std::uint8_t { Probability, Margin, NegativeEntropy };

// What a sampler needs to know of a row of logits (engine/sampler/candidate.h): the token that it
// draws, its probability, and its confidence.
struct RowResult {
  std::int32_t token;  // -1: everything is forbidden, or a logit is NaN or +inf
  float probability;
  float confidence;
  float plain_probability;  // without temperature
};

// Rows that attend to the positions [0, T) of one canvas.
struct StepPart {
  std::int32_t first;  // of the rows of the step
  std::int32_t rows;
  std::int32_t slot;
  std::int32_t T;
};

// One candidate.
struct StepDraw {
  std::int32_t row;        // of the logits; -1: none is drawn
  std::int32_t forbidden;  // a token, or -1
  float temperature;
  RowConfidence confidence;
  std::uint8_t restricted;  // whether it may draw only what StepDrawLogits::allowed has
};

// All that differs from step to step, as it is copied to the device in one piece.
struct StepInput {
  double uniforms[kStepDraws];
  std::int32_t ids[kStepRows];
  std::int32_t positions[kStepRows];
  std::int32_t slots[kStepRows];    // whose keys and values the row replaces; -1: of none
  std::int32_t kept[kStepRows];     // rows that the last layer keeps
  StepPart parts[kStepParts];       // unused ones have no rows
  StepPart last_parts[kStepParts];  // the same of the kept rows
  StepDraw draws[kStepDraws];
  std::int32_t banned_begin[kStepDraws + 1];
  std::int32_t banned[kStepBans];
};

// RopeStore of M rows, each to the cache of its slot. `cache` is that of slot 0; the others follow
// it without a gap.
struct StepRopeStore {
  float* q;
  KvCacheView cache;
  const float* qkv;
  const StepInput* input;
  const float* cos;
  const float* sin;
  int M;
  int H;
};

// Attention of the rows of all parts. At most `n_parts` of them have rows, each at least `least_rows`;
// M rows in all at most.
struct StepAttention {
  float* y;
  const float* q;
  KvCacheView cache;  // of slot 0, as above
  const StepPart* parts;
  int n_parts;
  int least_rows;
  int M;
  int H;
  float scale;
};

// Draws for those of the first `n_draws` candidates whose logits are the rows [first, first + count).
struct StepDrawLogits {
  RowResult* results;   // [kStepDraws]
  const float* logits;  // of `first` on
  const StepInput* input;
  const std::uint8_t* allowed;  // [V]
  int n_draws;
  int first;
  int count;
  int V;
};

// What a device has taken down.
class Recording {
 public:
  virtual ~Recording() = default;
};

// The part of a backend that steps need. Operations are queued in order with the backend's others.
class StepDevice {
 public:
  virtual ~StepDevice() = default;

  // Memory of the host that copies are made from and to without the host's help.
  virtual Memory pinned(std::size_t bytes) = 0;
  // Both are done later, at the latest when wait() returns: `from` and `to` are pinned.
  virtual void send(void* to, const void* from, std::size_t bytes) = 0;
  virtual void fetch(void* to, const void* from, std::size_t bytes) = 0;
  virtual void wait() = 0;

  virtual void rope_store(const StepRopeStore& op) = 0;
  virtual void attention(const StepAttention& op) = 0;
  virtual void draw(const StepDrawLogits& op) = 0;

  // Takes down what `operations` queues, without doing it. They have been done before, so that they
  // allocate nothing, and they wait for nothing. Null where the device cannot, or shall not.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& operations) = 0;
  // Queues it. False, and nothing is queued, once memory that it uses has been given back.
  virtual bool replay(const Recording& recording) = 0;
  // Whether record() may ever give something. On unless it is switched off, to find a mistake.
  virtual bool records() const = 0;
  virtual void set_records(bool on) = 0;
};

}  // namespace lacuna::kernels
