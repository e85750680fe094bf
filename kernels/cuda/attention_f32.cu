// Attention of kernels/kernels.h over a float cache: for exact fills, not for speed.
//
// Work      a block of 128 threads for each row and query head; keys in tiles of 128. A thread
//           scores one key of the tile, then sums one or two numbers of the head over the tile.
// Numerics  online softmax over the tiles in order: a row's bits do not depend on other rows.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/kv_layout.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/reduce.cuh"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kMaxHead = 256;
constexpr int kSums = kMaxHead / kThreads;

__global__ void attention_f32_kernel(AttentionOp op) {
  __shared__ float q[kMaxHead];
  __shared__ float weights[kThreads];
  const StepPart part = part_of_row(op, blockIdx.x);
  if (part.rows == 0) return;  // the whole block: nobody wants this row
  const KvArrays<float> cache(op.cache, part.slot);
  const int P = op.cache.P;
  const int thread = threadIdx.x;
  const int head = blockIdx.y / (op.H / op.cache.K);
  const std::size_t row = (static_cast<std::size_t>(blockIdx.x) * op.H + blockIdx.y) * P;
  for (int p = thread; p < P; p += kThreads) q[p] = op.q[row + p] * op.scale;
  __syncthreads();
  float sums[kSums] = {};
  float largest = -INFINITY;
  float total = 0;
  for (int begin = 0; begin < part.T; begin += kThreads) {
    const int keys = begin + kThreads < part.T ? kThreads : part.T - begin;
    float score = -INFINITY;
    if (thread < keys) {
      score = 0;
      const float* key = &cache.key(head, begin + thread, 0);
      for (int p = 0; p < P; ++p) score += q[p] * key[p];
    }
    const float new_largest = Larger()(largest, block_reduce(score, -INFINITY, Larger()));
    const float shrink = expf(largest - new_largest);
    const float weight = thread < keys ? expf(score - new_largest) : 0.0F;
    weights[thread] = weight;
    total = total * shrink + block_sum(weight);  // its barriers also publish `weights`
    largest = new_largest;
    for (int i = 0; i < kSums; ++i) {
      const int p = thread + i * kThreads;
      if (p >= P) break;
      const float* values = &cache.value(head, begin, p);
      float sum = sums[i] * shrink;
      for (int t = 0; t < keys; ++t) sum += weights[t] * values[t];
      sums[i] = sum;
    }
    __syncthreads();  // the next tile writes `weights`
  }
  for (int i = 0; i < kSums; ++i)
    if (const int p = thread + i * kThreads; p < P) op.y[row + p] = sums[i] / total;
}

}  // namespace

void attention_f32(const AttentionOp& op, CUstream_st* stream) {
  launch(attention_f32_kernel, {.grid = dim3(op.M, op.H), .block = kThreads}, stream, op);
}

}  // namespace lacuna::kernels::cuda
