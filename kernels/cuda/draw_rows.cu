// What the samplers need of rows of logits, without moving the logits: engine/sampler/candidate.h.
//
// Work      a block of 1,024 threads for each row; each thread has a run of consecutive tokens.
// Memory    reads the row two to four times, mostly from L2.
// Numerics  sums of exponentials in double, in a fixed order. Ties of the largest logit go to the
//           lowest token, as on the CPU; probabilities agree within 1e-5 relative.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/reduce.cuh"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kThreads = 1024;

struct Best {
  float logit;
  std::int32_t token;
};

__device__ Best other_lane(const Best& best, int mask) {
  return {__shfl_xor_sync(0xffffffffU, best.logit, mask),
          __shfl_xor_sync(0xffffffffU, best.token, mask)};
}

struct LargerLogit {
  __device__ Best operator()(const Best& a, const Best& b) const {
    if (a.logit != b.logit) return a.logit > b.logit ? a : b;
    return a.token < b.token ? a : b;
  }
};

// The tempered logits of one row.
struct Row {
  const float* logits;
  const std::uint8_t* allowed;
  const std::int32_t* banned;
  int n_banned;
  std::int32_t forbidden;
  float divisor;

  __device__ float at(int token) const {
    if (allowed != nullptr && allowed[token] == 0) return -INFINITY;
    if (token == forbidden) return -INFINITY;
    for (int i = 0; i < n_banned; ++i)
      if (banned[i] == token) return -INFINITY;
    return logits[token] / divisor;
  }
};

// How candidate m is drawn. Row -1: not by this call.
__device__ StepDraw draw_of(const DrawRows& op, int m) {
  if (op.draws == nullptr)
    return {op.rows == nullptr ? m : op.rows[m], op.forbidden, op.temperature, op.confidence, 1};
  StepDraw draw = op.draws[m];
  draw.row -= op.first;
  if (draw.row < 0 || draw.row >= op.count) draw.row = -1;
  return draw;
}

__device__ Row row_of(const DrawRows& op, const StepDraw& draw, int m) {
  Row row{};
  row.logits = op.logits + static_cast<std::size_t>(draw.row) * op.V;
  row.allowed = draw.restricted != 0 ? op.allowed : nullptr;
  if (op.banned != nullptr) {
    row.banned = op.banned + op.banned_begin[m];
    row.n_banned = op.banned_begin[m + 1] - op.banned_begin[m];
  }
  row.forbidden = draw.forbidden;
  row.divisor = draw.temperature > 0 ? draw.temperature : 1.0F;
  return row;
}

// The token at which the sums of weights in the order of the tokens exceed uniform * total. `before`
// is the sum of all threads before this one, `mine` its own.
__device__ std::int32_t drawn_token(const Row& row, float largest, double total, double uniform,
                                    double before, double mine, int begin, int end) {
  __shared__ std::int32_t drawn;
  if (threadIdx.x == 0) drawn = -1;
  __syncthreads();
  const double target = uniform * total;
  if (before <= target && target < before + mine) {
    double sum = before;
    std::int32_t token = begin;
    for (int i = begin; i < end; ++i) {
      const float weight = expf(row.at(i) - largest);
      if (weight == 0) continue;
      token = i;
      sum += weight;
      if (sum > target) break;
    }
    drawn = token;
  }
  __syncthreads();
  return drawn;
}

// The sum over all threads before this one, in their order.
__device__ double sum_before(double mine) {
  __shared__ double sums[kThreads];
  sums[threadIdx.x] = mine;
  __syncthreads();
  for (int distance = 1; distance < kThreads; distance *= 2) {
    const int from = static_cast<int>(threadIdx.x) - distance;
    const double other = from >= 0 ? sums[from] : 0;
    __syncthreads();
    sums[threadIdx.x] += other;
    __syncthreads();
  }
  const double before = threadIdx.x == 0 ? 0 : sums[threadIdx.x - 1];
  __syncthreads();
  return before;
}

__global__ void __launch_bounds__(kThreads) draw_rows_kernel(DrawRows op) {
  const int m = blockIdx.x;
  const StepDraw draw = draw_of(op, m);
  if (draw.row < 0) return;  // the whole block
  const Row row = row_of(op, draw, m);
  const int run = ceil_div(op.V, kThreads);
  const int begin = static_cast<int>(threadIdx.x) * run;
  const int end = begin + run < op.V ? begin + run : op.V;

  Best best = {-INFINITY, op.V};
  bool odd = false;  // NaN or +inf
  for (int i = begin; i < end; ++i) {
    const float logit = row.at(i);
    odd = odd || !(logit < INFINITY);
    best = LargerLogit()(best, {logit, i});
  }
  best = block_reduce(best, Best{-INFINITY, op.V}, LargerLogit());
  odd = block_reduce(odd ? 1 : 0, 0, Larger()) != 0;
  if (odd || best.logit == -INFINITY) {
    if (threadIdx.x == 0) op.results[m] = {-1, 0, -INFINITY, 0};
    return;  // the whole block
  }

  double mine = 0;
  double mine_plain = 0;  // without temperature
  float second = -INFINITY;
  for (int i = begin; i < end; ++i) {
    const float logit = row.at(i);
    mine += expf(logit - best.logit);
    if (draw.temperature > 0) mine_plain += expf((logit - best.logit) * row.divisor);
    if (i != best.token && second < logit) second = logit;
  }
  const double total = block_reduce(mine, 0.0, Plus());
  std::int32_t token = best.token;
  if (draw.temperature > 0) {
    token = drawn_token(row, best.logit, total, op.uniforms[m], sum_before(mine), mine, begin, end);
    if (token < 0) token = best.token;  // the sums in another order miss the target by a rounding
  }
  const auto probability = static_cast<float>(expf(row.at(token) - best.logit) / total);
  float plain = probability;
  if (draw.temperature > 0) {
    const double plain_total = block_reduce(mine_plain, 0.0, Plus());
    plain = static_cast<float>(expf((row.at(token) - best.logit) * row.divisor) / plain_total);
  }
  float confidence = probability;
  if (draw.confidence == RowConfidence::Margin) {
    second = block_reduce(second, -INFINITY, Larger());
    confidence = static_cast<float>((1.0 - expf(second - best.logit)) / total);
  } else if (draw.confidence == RowConfidence::NegativeEntropy) {
    double sum = 0;
    const auto scale = static_cast<float>(1 / total);
    for (int i = begin; i < end; ++i) {
      const float p = expf(row.at(i) - best.logit) * scale;
      sum += p * logf(p + 1e-10F);
    }
    confidence = static_cast<float>(block_reduce(sum, 0.0, Plus()));
  }
  if (threadIdx.x == 0) op.results[m] = {token, probability, confidence, plain};
}

}  // namespace

void draw_rows(const DrawRows& op, CUstream_st* stream) {
  if (op.M == 0) return;
  launch(draw_rows_kernel, {.grid = op.M, .block = kThreads}, stream, op);
}

}  // namespace lacuna::kernels::cuda
