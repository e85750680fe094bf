// AttentionWeights of kernels/kernels.h: what attention only passes through, for a few rows.
//
// Work      a block of 256 threads for each query head, which goes through the rows one by one. A
//           thread scores every 256th position, three times: once for the largest score, once for
//           the sum, once for the weights. The scores of a row are kept nowhere.
// Memory    reads the keys of the head 3*M times, mostly from L2, and adds to T floats M times.
// Numerics  float sums over the rows in order.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/kv_layout.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/reduce.cuh"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxHead = 256;

template <class T>
__global__ void attention_weights_kernel(AttentionWeightsOp op) {
  __shared__ float q[kMaxHead];
  const KvArrays<T> cache(op.cache);
  const int P = op.cache.P;
  const int thread = threadIdx.x;
  const int head = blockIdx.x / (op.H / op.cache.K);
  float* y = op.y + static_cast<std::size_t>(blockIdx.x) * op.T;
  const auto score_of = [&](int t) {
    const T* key = &cache.key(head, t, 0);
    float score = 0;
    for (int p = 0; p < P; ++p) score += q[p] * to_float(key[p]);
    return score;
  };
  for (int t = thread; t < op.T; t += kThreads) y[t] = 0;
  for (int m = 0; m < op.M; ++m) {
    const float* from = op.q + (static_cast<std::size_t>(op.rows[m]) * op.H + blockIdx.x) * P;
    for (int p = thread; p < P; p += kThreads) q[p] = from[p] * op.scale;
    __syncthreads();
    float largest = -INFINITY;
    for (int t = thread; t < op.T; t += kThreads) largest = Larger()(largest, score_of(t));
    largest = block_reduce(largest, -INFINITY, Larger());
    float total = 0;
    for (int t = thread; t < op.T; t += kThreads) total += expf(score_of(t) - largest);
    total = block_sum(total);
    for (int t = thread; t < op.T; t += kThreads) y[t] += expf(score_of(t) - largest) / total;
    __syncthreads();  // the next row overwrites q
  }
}

}  // namespace

void attention_weights(const AttentionWeightsOp& op, CUstream_st* stream) {
  const LaunchShape shape = {.grid = op.H, .block = kThreads};
  if (op.cache.type == KvType::F32)
    launch(attention_weights_kernel<float>, shape, stream, op);
  else
    launch(attention_weights_kernel<std::uint16_t>, shape, stream, op);
}

}  // namespace lacuna::kernels::cuda
