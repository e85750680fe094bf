// Every device operation of the engine, once: its formula, shapes, and what it needs.
//
// Letters: T positions of the canvas, M rows computed by one call, D model width, F MLP width,
// H query heads, K key/value heads, P head size, V vocabulary rows. Arrays are row-major, the
// last index is fastest, activations are float. Arrays may not overlap unless it says so.
// Arguments are structs passed by value, filled with designated initialisers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"

namespace lacuna::kernels {

class CpuContext;    // kernels/cpu/context.h: instruction set and threads
class PackedMatrix;  // kernels/cpu/packed_matrix.h: a weight matrix laid out for the products

// y[m, d] = table[ids[m], d], of an I8 table times scales[ids[m]]
//   y: [M, D].  table: [V, D] of `type`, not I4.  ids: M values in [0, V).
//   scales: V floats at any address, for I8 only.
struct Embed {
  float* y;
  const void* table;
  DType type;
  const std::int32_t* ids;
  int M;
  int D;
  const void* scales = nullptr;
};

// y[m, d] = x[m, d] * rsqrt(mean_d(x[m, :]^2) + eps) * weight[d]
//   x, y: [M, D], may be the same array.  weight: [D].
struct RmsNorm {
  float* y;
  const float* x;
  const float* weight;
  int M;
  int D;
  float eps;
};

// y[m, n] = sum_k x[m, k] * w[n, k] + bias[n] (+ y[m, n] when accumulate)
//   x: [M, k] with x_stride floats between rows.  y: [M, n].  w: n x k.  bias: [n] or null.
// Each sum runs over k in the same order whatever M, the position of the row in x, or the number
// of threads: a row's result is the same bits alone and among others.
//
// Precision F32 multiplies the weights as stored with x in float. Bf16 rounds x to bf16 and
// multiplies bf16 pairs, with sums in float: about twice as fast. It needs Bf16 weights and
// Isa::Avx512Bf16; without either it is computed as F32.
//
// Int8 weights are multiplied as integers whatever the precision: each row of x is rounded to
// integers in [-127, 127] times a scale of its own, the sums are exact, and y has the same bits on
// every instruction set. A row of x that is not finite gives a row of NaN.
enum class Precision : std::uint8_t { F32, Bf16 };

struct Matmul {
  float* y;
  const float* x;
  const PackedMatrix* w;
  const float* bias;
  int M;
  int x_stride;
  bool accumulate = false;
  Precision precision = Precision::F32;
};

// Keys and values of one layer for `capacity` positions. The order of the floats inside is the
// backend's own (kernels/cpu/kv_layout.h); each array holds kv_floats(capacity, K, P) of them,
// aligned to 64 bytes, and needs no initial content. P is even and at most 256.
struct KvCacheView {
  float* keys;
  float* values;
  int capacity;
  int K;
  int P;
};

// Splits rows of q, k and v, rotates q and k (rotate-half RoPE: pairs i and i + P/2), and writes k
// and v to their places in the cache.
//   qkv: [M, (H + 2 K) P].  q: [M, H, P].  positions: M rows of cos and sin.
//   places: M values in [0, cache.capacity), where k and v go; null: their positions.
//   cos, sin: [positions, P/2], the angle of pair i at position t is t * theta^(-2 i / P).
struct RopeStore {
  float* q;
  KvCacheView cache;
  const float* qkv;
  const std::int32_t* positions;
  const std::int32_t* places = nullptr;
  const float* cos;
  const float* sin;
  int M;
  int H;
};

// y[m, h, :] = sum_t softmax_t(scale * q[m, h, :] . key[t, h / (H/K), :]) value[t, h / (H/K), :]
// over the positions 0 <= t < T, in both directions (no causal mask).
//   q, y: [M, H, P], may be the same array.
struct Attention {
  float* y;
  const float* q;
  KvCacheView cache;
  int M;
  int H;
  int T;
  float scale;
};

// y[h, t] = sum_m softmax_t(scale * q[rows[m], h, :] . key[t, h / (H/K), :]) for 0 <= t < T: how much
// these rows attend to each position, one head at a time.
//   q: [rows of the pass, H, P].  rows: M indices into q.  y: [H, T].
struct AttentionWeights {
  float* y;
  const float* q;
  const std::int32_t* rows;
  KvCacheView cache;
  int M;
  int H;
  int T;
  float scale;
};

// Exchanges keys and values: those at a_places[m] of a with those at b_places[m] of b.
struct KvSwap {
  KvCacheView a;
  KvCacheView b;  // another one, of the same K and P
  const std::int32_t* a_places;
  const std::int32_t* b_places;
  int M;
};

// Copies the keys and values of the positions [begin, end) of one cache to [begin + by, end + by)
// of another, or of the same, and turns the keys to their new positions: RoPE of an angle t and
// then of `by` is RoPE of t + by, but for rounding.
//   cos, sin: as in RopeStore, for positions up to |by|.
struct KvMove {
  KvCacheView from;
  KvCacheView to;  // same K and P
  const float* cos;
  const float* sin;
  int begin;
  int end;
  int by;
};

// y[m, f] = silu(gate_up[m, f]) * gate_up[m, F + f],  silu(x) = x / (1 + exp(-x))
//   gate_up: [M, 2 F].  y: [M, F].
struct SwiGlu {
  float* y;
  const float* gate_up;
  int M;
  int F;
};

// The number of floats in each of the two arrays of a KvCacheView.
std::size_t kv_floats(int capacity, int K, int P);

void embed(CpuContext& context, const Embed& op);
void rms_norm(CpuContext& context, const RmsNorm& op);
void matmul(CpuContext& context, const Matmul& op);
void rope_store(CpuContext& context, const RopeStore& op);
void attention(CpuContext& context, const Attention& op);
void attention_weights(CpuContext& context, const AttentionWeights& op);
void kv_swap(CpuContext& context, const KvSwap& op);
void kv_move(CpuContext& context, const KvMove& op);
void swiglu(CpuContext& context, const SwiGlu& op);

}  // namespace lacuna::kernels
