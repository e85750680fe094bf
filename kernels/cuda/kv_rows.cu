// RopeStore, KvSwap and KvMove of kernels/kernels.h on the layout of kv_layout.cuh.
//
// Work      rope_store: a block for each row, a thread for each pair of numbers of a head.
//           kv_swap, kv_move: a block for each row and key head.
// Memory    rope_store reads M*(H + 2K)*P floats and writes as many numbers; the stores of values
//           are `stride` apart, 2 or 4 bytes each.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/kv_layout.cuh"
#include "kernels/cuda/launch.cuh"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kThreads = 128;

template <class T>
__global__ void rope_store_kernel(RopeStoreOp op) {
  const int slot = op.slots == nullptr ? 0 : op.slots[blockIdx.x];
  const KvArrays<T> cache(op.cache, slot < 0 ? 0 : slot);
  const int P = op.cache.P;
  const int K = op.cache.K;
  const int half = P / 2;
  const int m = blockIdx.x;
  const int position = op.positions[m];
  const int place = op.places == nullptr ? position : op.places[m];
  const float* qkv = op.qkv + static_cast<std::size_t>(m) * (op.H + 2 * K) * P;
  float* q = op.q + static_cast<std::size_t>(m) * op.H * P;
  const float* cos = op.cos + static_cast<std::size_t>(position) * half;
  const float* sin = op.sin + static_cast<std::size_t>(position) * half;
  for (int pair = threadIdx.x; pair < (op.H + 2 * K) * half; pair += kThreads) {
    const int head = pair / half;
    const int i = pair % half;
    const float first = qkv[head * P + i];
    const float second = qkv[head * P + half + i];
    if (head >= op.H && slot < 0) continue;
    if (head >= op.H + K) {
      from_float(first, cache.value(head - op.H - K, place, i));
      from_float(second, cache.value(head - op.H - K, place, half + i));
      continue;
    }
    const float turned_first = first * cos[i] - second * sin[i];
    const float turned_second = second * cos[i] + first * sin[i];
    if (head < op.H) {
      q[head * P + i] = turned_first;
      q[head * P + half + i] = turned_second;
    } else {
      from_float(turned_first, cache.key(head - op.H, place, i));
      from_float(turned_second, cache.key(head - op.H, place, half + i));
    }
  }
}

template <class T>
__device__ void swap_numbers(T& a, T& b) {
  const T kept = a;
  a = b;
  b = kept;
}

template <class T>
__global__ void kv_swap_kernel(KvSwapOp op) {
  const KvArrays<T> a(op.a);
  const KvArrays<T> b(op.b);
  const int a_place = op.a_places[blockIdx.x];
  const int b_place = op.b_places[blockIdx.x];
  const int head = blockIdx.y;
  for (int p = threadIdx.x; p < op.a.P; p += kThreads) {
    swap_numbers(a.key(head, a_place, p), b.key(head, b_place, p));
    swap_numbers(a.value(head, a_place, p), b.value(head, b_place, p));
  }
}

// Copies to another place in another cache, in parallel. Within one cache rows would overwrite
// others that have yet to move: kv_move() goes through spare memory then.
template <class T>
__global__ void kv_move_kernel(KvMoveOp op) {
  const KvArrays<T> from(op.from);
  const KvArrays<T> to(op.to);
  const int half = op.from.P / 2;
  const int place = op.begin + blockIdx.x;
  const int head = blockIdx.y;
  const std::size_t angles = static_cast<std::size_t>(op.by < 0 ? -op.by : op.by) * half;
  for (int i = threadIdx.x; i < half; i += kThreads) {
    const float first = to_float(from.key(head, place, i));
    const float second = to_float(from.key(head, place, half + i));
    const float cos = op.cos[angles + i];
    const float turn = op.by < 0 ? -op.sin[angles + i] : op.sin[angles + i];
    from_float(first * cos - second * turn, to.key(head, place + op.by, i));
    from_float(second * cos + first * turn, to.key(head, place + op.by, half + i));
    to.value(head, place + op.by, i) = from.value(head, place, i);
    to.value(head, place + op.by, half + i) = from.value(head, place, half + i);
  }
}

bool same_cache(const KvCache& a, const KvCache& b) { return a.keys == b.keys; }

}  // namespace

std::size_t kv_bytes(KvType type, int capacity, int K, int P) {
  const std::size_t size = type == KvType::F32 ? sizeof(float) : sizeof(std::uint16_t);
  return static_cast<std::size_t>(kv_stride(capacity)) * K * P * size;
}

void rope_store(const RopeStoreOp& op, CUstream_st* stream) {
  if (op.M == 0) return;
  const LaunchShape shape = {.grid = op.M, .block = kThreads};
  if (op.cache.type == KvType::F32)
    launch(rope_store_kernel<float>, shape, stream, op);
  else
    launch(rope_store_kernel<std::uint16_t>, shape, stream, op);
}

void kv_swap(const KvSwapOp& op, CUstream_st* stream) {
  if (op.M == 0) return;
  const LaunchShape shape = {.grid = dim3(op.M, op.a.K), .block = kThreads};
  if (op.a.type == KvType::F32)
    launch(kv_swap_kernel<float>, shape, stream, op);
  else
    launch(kv_swap_kernel<std::uint16_t>, shape, stream, op);
}

void kv_move(const KvMoveOp& op, CUstream_st* stream) {
  const int rows = op.end - op.begin;
  if (rows <= 0 || (op.by == 0 && same_cache(op.from, op.to))) return;
  if (same_cache(op.from, op.to)) {
    KvMoveOp out = op;
    out.to = op.spare;
    out.spare = {};
    kv_move(out, stream);
    KvMoveOp back = out;
    back.from = op.spare;
    back.to = op.to;
    back.begin = op.begin + op.by;
    back.end = op.end + op.by;
    back.by = 0;
    kv_move(back, stream);
    return;
  }
  const LaunchShape shape = {.grid = dim3(rows, op.from.K), .block = kThreads};
  if (op.from.type == KvType::F32)
    launch(kv_move_kernel<float>, shape, stream, op);
  else
    launch(kv_move_kernel<std::uint16_t>, shape, stream, op);
}

}  // namespace lacuna::kernels::cuda
