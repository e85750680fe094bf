// The operations of kernels/kernels.h on a CUDA device, and whether there is one.
//
// Arrays lie in device memory. A call queues its work on `stream` and returns at once; it throws
// CudaError (kernels/cuda/launch.h) when the device refuses. In a build without CUDA there are only
// probe() and functions that throw DeviceError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/backend.h"

struct CUstream_st;  // cudaStream_t, without the header of CUDA

namespace lacuna::kernels {

class ThreadPool;

namespace cuda {

using kernels::RowConfidence;
using kernels::RowResult;

struct CudaProbe {
  bool built = false;  // this program has the CUDA kernels
  int device_count = 0;
  std::string problem;           // why there is no device, as a clause; empty when there is one
  std::string name;              // of device 0, like "NVIDIA H200"
  std::size_t memory_bytes = 0;  // of device 0
};

// Never throws. On a machine without a driver the CUDA runtime answers with various errors: any
// of them means that there is no device.
CudaProbe probe() noexcept;

// y[m, :] = x[rows[m], :], rows of D floats. y and x do not overlap.
struct GatherRows {
  float* y;
  const float* x;
  const std::int32_t* rows;
  int M;
  int D;
};

// How keys and values are stored. Bf16 is what the tensor cores read; F32 is for exact fills.
enum class KvType : std::uint8_t { F32, Bf16 };

// Keys and values of one layer, as KvCacheView of kernels.h; the layout is in kv_layout.cuh. Each
// array has kv_bytes() and needs no initial content. P is even and at most 256; for Bf16 it is
// 32, 64 or 128.
struct KvCache {
  void* keys = nullptr;
  void* values = nullptr;
  int capacity = 0;
  int K = 0;
  int P = 0;
  KvType type = KvType::F32;
};

constexpr int kv_stride(int capacity) { return (capacity + 63) / 64 * 64; }
std::size_t kv_bytes(KvType type, int capacity, int K, int P);

// RopeStore of kernels.h. With `slots` each row has a cache of its own, counted from `cache` on in
// memory without gaps; below 0 it has none, and its k and v go nowhere.
struct RopeStoreOp {
  float* q;
  KvCache cache;
  const float* qkv;
  const std::int32_t* positions;
  const std::int32_t* places = nullptr;
  const float* cos;
  const float* sin;
  int M;
  int H;
  const std::int32_t* slots = nullptr;
};

// KvSwap of kernels.h. Places of one side differ from each other.
struct KvSwapOp {
  KvCache a;
  KvCache b;
  const std::int32_t* a_places;
  const std::int32_t* b_places;
  int M;
};

// KvMove of kernels.h. A move within one cache goes through `spare`, another cache of the same
// capacity, whose content is lost; else that is not used.
struct KvMoveOp {
  KvCache from;
  KvCache to;
  const float* cos;
  const float* sin;
  int begin;
  int end;
  int by;
  KvCache spare = {};
};

// Attention of kernels.h. For a Bf16 cache queries and weights are rounded to bf16 too, sums stay
// float. `partials` has attention_partials() floats: where parts of a long context are kept before
// they are merged. y may be q.
// With `parts`, which lie on the device, the rows of each attend to T positions of its slot's cache,
// counted from `cache` on in memory without gaps: then M and T only bound them, and `partials` has
// step_partials() floats.
struct AttentionOp {
  float* y;
  const float* q;
  KvCache cache;
  int M;
  int H;
  int T;
  float scale;
  float* partials;
  const StepPart* parts = nullptr;
  int n_parts = 0;
  int least_rows = 1;  // of a part that has any
};

// AttentionWeights of kernels.h.
struct AttentionWeightsOp {
  float* y;
  const float* q;
  const std::int32_t* rows;
  KvCache cache;
  int M;
  int H;
  int T;
  float scale;
};

// The most that an attention of up to M rows needs.
std::size_t attention_partials(int M, int H, int P);

std::size_t step_partials(int M, int n_parts, int H, int P);

// A weight matrix of n x k in device memory, row-major, rows padded with zeros.
//   F32, Bf16: [n_padded][k_padded] numbers
//   Int8: [n_padded][k_padded] integers, times a scale of each row
//   Int4: [n_padded][k_padded / 2] bytes of two codes, the even k in the lower half; integer =
//       code * step + offset, clamped to [-127, 127], with a step and an offset for each `group` of
//       consecutive k ([n_padded][k_padded / group] bytes), times a scale of each row
enum class WeightType : std::uint8_t { F32, Bf16, Int8, Int4 };

struct DeviceMatrix {
  const void* data = nullptr;
  const float* scales = nullptr;         // [n_padded], of Int8 and Int4
  const std::uint8_t* steps = nullptr;   // of Int4
  const std::int8_t* offsets = nullptr;  // of Int4
  int group = 0;                         // of Int4: a multiple of 32
  int n = 0;
  int k = 0;
  WeightType type = WeightType::F32;
};

constexpr int padded_n(int n) { return (n + 31) / 32 * 32; }
constexpr int padded_k(int k) { return (k + 127) / 128 * 128; }
// Bytes of one row of `data`.
constexpr std::size_t weight_row_bytes(WeightType type, int k) {
  const auto numbers = static_cast<std::size_t>(padded_k(k));
  if (type == WeightType::F32) return numbers * 4;
  if (type == WeightType::Bf16) return numbers * 2;
  return type == WeightType::Int8 ? numbers : numbers / 2;
}

// Matmul of kernels.h. Of F32 weights everything is float; else activations are rounded to bf16 and
// multiplied on the tensor cores, with float sums. A row of F32 has the same bits alone and among
// others. `scratch` has matmul_scratch() bytes, aligned to 16.
struct MatmulOp {
  float* y;
  const float* x;
  DeviceMatrix w;
  const float* bias;
  int M;
  int x_stride;
  bool accumulate = false;
  void* scratch;
};

std::size_t matmul_scratch(int M, int k);

// DrawLogits of kernels/backend.h, with all arrays on the device.
//   logits: rows of V.  rows: [M], or null for the first M.
//   allowed: [V] bytes, 0 forbids, or null.  forbidden: one more token, or -1.
//   banned: tokens of result m at banned[banned_begin[m]] up to banned_begin[m + 1]; null: none.
//   uniforms: [M] numbers in [0, 1), used at temperature > 0.  results: [M].
//   draws: [M], in place of rows, forbidden, temperature and confidence, null: these hold for all.
//       Then rows are counted from `first`, and those outside of [first, first + count) are not
//       drawn from.
struct DrawRows {
  RowResult* results;
  const float* logits;
  const std::int32_t* rows = nullptr;
  const std::uint8_t* allowed;
  const std::int32_t* banned;
  const std::int32_t* banned_begin;
  const double* uniforms;
  int M;
  int V;
  std::int32_t forbidden;
  float temperature;
  RowConfidence confidence;
  const StepDraw* draws = nullptr;
  int first = 0;
  int count = 0;
};

void embed(const Embed& op, CUstream_st* stream);
void gather_rows(const GatherRows& op, CUstream_st* stream);
void rms_norm(const RmsNorm& op, CUstream_st* stream);
void swiglu(const SwiGlu& op, CUstream_st* stream);
void rope_store(const RopeStoreOp& op, CUstream_st* stream);
void kv_swap(const KvSwapOp& op, CUstream_st* stream);
void kv_move(const KvMoveOp& op, CUstream_st* stream);
void attention(const AttentionOp& op, CUstream_st* stream);
void attention_weights(const AttentionWeightsOp& op, CUstream_st* stream);
void matmul(const MatmulOp& op, CUstream_st* stream);
void draw_rows(const DrawRows& op, CUstream_st* stream);

// All of it for the engine: a device with a stream of its own. Keys and values of heads that the
// tensor cores cannot take are floats whatever `kv_type`. `pool`, which outlives it, makes the rows
// of weights while they are loaded. Products of more than 64 rows with Bf16 weights are made by
// cuBLASLt where it is; `cublaslt` is its file, null: the usual names.
std::unique_ptr<Backend> open_cuda(int index, KvType kv_type, ThreadPool& pool,
                                   const char* cublaslt = nullptr);

// What cuBLASLt is given to work in: as much as NVIDIA recommends for Hopper; older GPUs need less.
inline constexpr std::size_t kCublasLtWorkspace = std::size_t{32} << 20;

// As "13.1.0"; empty where the library is not found.
std::string cublaslt_version();

struct DeviceMemory {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
};

DeviceMemory memory_of_cuda(int index);

}  // namespace cuda
}  // namespace lacuna::kernels
