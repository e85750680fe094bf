// Forward passes of a transformer: tokens in, logits of wanted rows out; one canvas or a batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>

#include "engine/attention_watch.h"
#include "engine/canvas_splice.h"
#include "engine/kv_store.h"
#include "engine/transformer.h"

namespace lacuna::engine {

// One canvas of a batch. Ids must lie in [0, vocab_size).
struct ForwardInput {
  std::span<const std::int32_t> canvas;
  // Increasing: the positions to compute through all layers. Every other position keeps the keys
  // and values that an earlier run left in the slot.
  std::span<const std::int32_t> rows;
  // An increasing subset of `rows`: final hidden states to keep for logits().
  std::span<const std::int32_t> wanted;
  // Whose keys and values are used and replaced. Two inputs of a run may share a slot only if at
  // most one of them is no variant.
  int slot = 0;
  // The rows see each other in place of what the slot has at their positions, and leave the slot
  // as it was: what if these tokens stood there? With `splice` the canvas is that of the slot
  // after the splice: what follows it is turned to its new positions.
  bool variant = false;
  std::optional<CanvasSplice> splice = {};
  // Is told how the watched tokens attend; their rows must be among `rows`. Not for a variant.
  AttentionWatch* watch = nullptr;
  // Nobody wants the outcome any more once it is requested; null: somebody always does.
  const std::stop_token* stop = nullptr;
};

// What a ForwardPass has memory for.
struct ForwardLimits {
  int canvas;            // tokens of a canvas
  int slots = 1;         // canvases whose keys and values are kept
  int rows = 0;          // of all inputs of a run; 0: canvas * slots
  int variant_rows = 0;  // of all variants of a run; included in `rows`
  // Whether variants may have a splice.
  bool splices = false;
  // Whether inputs may have a watch.
  bool watches = false;

  bool operator==(const ForwardLimits&) const = default;
};

// How many rows of logits are computed at a time, of `rows` at most.
int logit_rows(int rows, int vocab_size);

// Keys and values of the canvases and the buffers of a pass, where the transformer's weights are.
// Everything is allocated here, once; run(), splice() and logits() allocate nothing on the CPU, and
// nothing after their first calls on a device. There the memory is kept for the next ForwardPass of
// the transformer, until the transformer goes.
//
// On a device that can, a pass of up to kStepRows rows of up to kStepParts canvases is a step
// (kernels/step.h), unless it has a variant or a watch: it is taken down once for each number of rows,
// and then started in one call.
//
// A row has the same bits alone and in a batch, as kernels/README.md promises for float products:
// a batch of canvases gives what they give one after the other.
class ForwardPass {
 public:
  // `transformer` and `context` must outlive this. The context runs what is not on a device.
  ForwardPass(const Transformer& transformer, kernels::CpuContext& context,
              const ForwardLimits& limits, kernels::Precision precision);
  ForwardPass(ForwardPass&&) noexcept;
  ForwardPass& operator=(ForwardPass&&) noexcept;
  ~ForwardPass();

  const ForwardLimits& limits() const;

  // False when the pass was left in a layer, because every input was stopped: then there are no
  // logits, and what the slots hold means nothing.
  bool run(std::span<const ForwardInput> inputs);
  // One canvas, in slot 0.
  void run(std::span<const std::int32_t> canvas, std::span<const std::int32_t> rows,
           std::span<const std::int32_t> wanted);

  // The pass and what is drawn from it, without the host in between. Each of `draws` is for one input,
  // in their order; its rows are wanted rows, counted through all inputs. The results are there when
  // it returns. Only where draws_in_step() says so; false as run() says.
  bool draws_in_step(std::span<const ForwardInput> inputs,
                     std::span<const kernels::DrawLogits> draws) const;
  bool run(std::span<const ForwardInput> inputs, std::span<const kernels::DrawLogits> draws);

  // The slot's canvas of `size` tokens has been spliced: moves what follows, in place. The keys
  // and values of the inserted positions mean nothing until they are computed.
  void splice(int slot, int size, const CanvasSplice& splice);

  // Keys and values that outlive this pass, for another one of the same transformer. save() keeps
  // those of the slot's first `size` positions; load() gives the slot back some of them, turned to
  // the positions that the runs say. A run moves by less than limits().canvas.
  std::size_t store_bytes(int capacity) const;
  KvStore make_store(int capacity);
  void save(int slot, int size, KvStore& store);
  void load(int slot, const KvStore& store, std::span<const KvRun> runs);

  // Logits of `count` wanted rows of the last run(), from the first-th on, counted through all
  // inputs in order: [count, V], what the network's rows emit, before any shift.
  void logits(int first, int count, float* out);

  // Where the transformer is on a device, logits can stay there: keep_logits() computes those of
  // up to logit_rows() wanted rows, and draw() draws from them, with rows counted from `first`; it
  // fills in where they are.
  bool keeps_logits() const;
  void keep_logits(int first, int count);
  void draw(kernels::DrawLogits draw);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace lacuna::engine
