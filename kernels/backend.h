// A device as the engine sees it: its memory, its weights, and the operations of kernels.h.
//
// There is one transformer, engine/forward_pass.cpp, and one Backend for each kind of device:
// CpuBackend (kernels/cpu/cpu_backend.h) and that of kernels/cuda (open_cuda()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "kernels/cpu/packed_matrix.h"
#include "kernels/kernels.h"
#include "kernels/step.h"

namespace lacuna::kernels {

// A device that refuses: it has no memory left, or something is wrong with it. What was asked of it
// has failed; whoever asked for the whole pass catches it.
struct DeviceError : std::runtime_error {
  DeviceError(const std::string& what, bool no_memory)
      : std::runtime_error(what), out_of_memory(no_memory) {}
  bool out_of_memory;
};

// Memory of a device, freed with its owner.
class Memory {
 public:
  using Release = void (*)(void*);

  Memory() : memory_(nullptr, [](void*) {}) {}
  Memory(void* data, std::size_t bytes, Release release) : memory_(data, release), bytes_(bytes) {}

  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_.get());
  }

 private:
  std::unique_ptr<void, Release> memory_;
  std::size_t bytes_ = 0;
};

// A weight matrix of n x k as a backend keeps it.
class Weights {
 public:
  virtual ~Weights() = default;
  virtual std::size_t bytes() const = 0;
};

// Matmul of kernels.h with the weights of a backend. `precision` is the CPU's: a GPU multiplies
// floats for F32 weights and pairs of bf16 for all others.
struct Product {
  float* y;
  const float* x;
  const Weights* w;
  const float* bias;
  int M;
  int x_stride;
  bool accumulate = false;
  Precision precision = Precision::F32;
};

// x[m, :] = x[rows[m], :] in place. The rows increase, so that none moves back.
//   x: rows of D floats.  rows: M indices.
struct KeepRows {
  float* x;
  const std::int32_t* rows;
  int M;
  int D;
};

// Draws from logits where they are. All other arrays are the host's.
struct DrawLogits {
  std::span<RowResult> results;        // [M]
  const float* logits;                 // rows of V
  std::span<const std::int32_t> rows;  // [M] increasing: the row that each result is of
  // One byte for each of V tokens, 0 forbids it; empty: none is.
  std::span<const std::uint8_t> allowed;
  std::int32_t forbidden;  // one more token, or -1
  // Tokens of result m: banned[banned_begin[m]] up to banned[banned_begin[m + 1]].
  std::span<const std::int32_t> banned;
  std::span<const std::int32_t> banned_begin;  // [M + 1]
  std::span<const double> uniforms;            // [M] in [0, 1), used at temperature > 0
  int V;
  float temperature;
  RowConfidence confidence;
};

// Operations are queued in order; download() and draw() wait for all before them. Their arrays lie
// in the backend's memory. One thread at a time. Everything may throw DeviceError.
class Backend {
 public:
  virtual ~Backend() = default;

  // Whether its memory is the host's: then nothing needs to be copied to be read.
  virtual bool on_host() const = 0;
  // Uninitialised.
  virtual Memory allocate(std::size_t bytes) = 0;
  // What lies in host memory that outlives the result, where operations can read it: on the host
  // it is that memory.
  virtual Memory share(const void* data, std::size_t bytes) = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;

  // PackedMatrix::pack().
  virtual std::unique_ptr<Weights> weights(std::span<const MatrixSource> sources, int k,
                                           WeightFormat format) = 0;
  // Of each of the two arrays of a KvCacheView. What is in them is the backend's own.
  virtual std::size_t kv_bytes(int capacity, int K, int P) const = 0;

  virtual void embed(const Embed& op) = 0;
  virtual void rms_norm(const RmsNorm& op) = 0;
  virtual void product(const Product& op) = 0;
  virtual void rope_store(const RopeStore& op) = 0;
  virtual void attention(const Attention& op) = 0;
  virtual void attention_weights(const AttentionWeights& op) = 0;
  virtual void kv_swap(const KvSwap& op) = 0;
  virtual void kv_move(const KvMove& op) = 0;
  virtual void swiglu(const SwiGlu& op) = 0;
  virtual void keep_rows(const KeepRows& op) = 0;
  // Not on the host, where the sampler reads the logits itself.
  virtual void draw(const DrawLogits& op) = 0;

  // Null where steps gain nothing from being taken down.
  virtual StepDevice* step_device() { return nullptr; }
};

}  // namespace lacuna::kernels
