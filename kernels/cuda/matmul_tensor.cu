// Matmul of kernels/kernels.h for few rows, on the tensor cores: what a denoising step consists of.
// The time is that of reading the weights, so everything serves to keep many wide reads of them in
// flight.
//
// Work      A block of 8 warps takes 32 outputs and up to 64 rows of x. The weights are the left
//           operand (16 outputs x 16 k), x the right one (16 k x 8 rows): a product of few rows
//           wastes little. Each warp takes every eighth chunk of k; their sums are added in order.
//           More rows are further blocks, which read the weights again.
// Layout    A sum may run over k in any order, as long as both operands use the same. So lane
//           4 g + t reads 16 consecutive bytes of weight row g, and the numbers of x at the same
//           k: 8 values of k a lane of bf16, 16 of int8, 32 of int4. Nothing passes through shared
//           memory, nothing is shuffled.
// Memory    n*k weights once for each 64 rows; x, rounded to bf16 by a kernel before, M*k*2 bytes
//           from L2 for each 32 outputs.
// Numerics  integers of 8 bits are exact in bf16; scales are applied to sums. Which warp sums what
//           depends on k only: the bits of a row do not depend on the other rows.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/matmul.cuh"
#include "kernels/cuda/mma.cuh"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * 32;
constexpr int kOutputTiles = 2;  // of 16
constexpr int kOutputs = 16 * kOutputTiles;
constexpr int kMaxRowTiles = 8;  // of 8

// Values of k that a lane reads at once.
constexpr int lane_depth(WeightType type) {
  if (type == WeightType::Bf16) return 8;
  return type == WeightType::Int8 ? 16 : 32;
}

// Two integers of 8 bits as a pair of bf16.
__device__ std::uint32_t pair_of(int low, int high) {
  return pack_bf16(static_cast<float>(low), static_cast<float>(high));
}

__device__ int signed_byte(std::uint32_t word, int i) {
  return static_cast<std::int8_t>(word >> (8 * i) & 0xFFU);
}

struct RowQuantisation {
  int step;
  int offset;
};

__device__ int int4_value(std::uint32_t word, int i, const RowQuantisation& q) {
  const int integer = static_cast<int>(word >> (4 * i) & 15U) * q.step + q.offset;
  return integer < -127 ? -127 : (integer > 127 ? 127 : integer);
}

// Pairs of bf16 from the 16 bytes that a lane has of a row: pair i is the values 2 i and 2 i + 1.
template <WeightType type>
__device__ std::uint32_t weight_pair(const std::uint32_t (&words)[4], int i,
                                     const RowQuantisation& q) {
  if constexpr (type == WeightType::Bf16) {
    return words[i];
  } else if constexpr (type == WeightType::Int8) {
    const std::uint32_t word = words[i / 2];
    return pair_of(signed_byte(word, i % 2 * 2), signed_byte(word, i % 2 * 2 + 1));
  } else {
    const std::uint32_t word = words[i / 4];
    return pair_of(int4_value(word, i % 4 * 2, q), int4_value(word, i % 4 * 2 + 1, q));
  }
}

__device__ void read_words(std::uint32_t (&words)[4], const void* from) {
  const uint4 vector = *static_cast<const uint4*>(from);
  words[0] = vector.x;
  words[1] = vector.y;
  words[2] = vector.z;
  words[3] = vector.w;
}

// The sums of a warp over its chunks of k, for the outputs from first_n and the rows from first_m.
template <WeightType type, int kRowTiles>
__device__ void sum_chunks(float (&sums)[kOutputTiles][kRowTiles][4], const MatmulOp& op,
                           const std::uint16_t* x, int first_n, int first_m) {
  constexpr int kDepth = lane_depth(type);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int g = lane / 4;
  const int t = lane % 4;
  const int k_padded = padded_k(op.w.k);
  const std::size_t row_bytes = weight_row_bytes(type, op.w.k);
  const auto* weights = static_cast<const unsigned char*>(op.w.data);
  for (int chunk = static_cast<int>(threadIdx.x) / 32; chunk * 4 * kDepth < k_padded;
       chunk += kWarps) {
    const int k = chunk * 4 * kDepth + t * kDepth;
    std::uint32_t a[kOutputTiles][2][4];
    RowQuantisation q[kOutputTiles][2] = {};
#pragma unroll
    for (int tile = 0; tile < kOutputTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const std::size_t n = static_cast<std::size_t>(first_n + 16 * tile + 8 * half + g);
        read_words(a[tile][half], weights + n * row_bytes + (k / kDepth) * sizeof(uint4));
        if constexpr (type == WeightType::Int4) {
          const std::size_t group = n * (k_padded / op.w.group) + k / op.w.group;
          q[tile][half] = {op.w.steps[group], op.w.offsets[group]};
        }
      }
#pragma unroll
    for (int rows = 0; rows < kRowTiles; ++rows) {
      const std::uint16_t* from =
          x + static_cast<std::size_t>(first_m + 8 * rows + g) * k_padded + k;
#pragma unroll
      for (int part = 0; part < kDepth / 8; ++part) {
        std::uint32_t b[4];
        read_words(b, from + 8 * part);
#pragma unroll
        for (int step = 0; step < 2; ++step) {
          const std::uint32_t right[2] = {b[2 * step], b[2 * step + 1]};
          const int pair = 4 * part + 2 * step;
#pragma unroll
          for (int tile = 0; tile < kOutputTiles; ++tile) {
            const std::uint32_t left[4] = {weight_pair<type>(a[tile][0], pair, q[tile][0]),
                                           weight_pair<type>(a[tile][1], pair, q[tile][1]),
                                           weight_pair<type>(a[tile][0], pair + 1, q[tile][0]),
                                           weight_pair<type>(a[tile][1], pair + 1, q[tile][1])};
            mma_bf16(sums[tile][rows], left, right);
          }
        }
      }
    }
  }
}

template <WeightType type, int kRowTiles>
__global__ void __launch_bounds__(kThreads) matmul_tensor_kernel(MatmulOp op) {
  __shared__ float total[8 * kRowTiles][kOutputs + 1];
  const int first_n = blockIdx.x * kOutputs;
  const int first_m = blockIdx.y * 8 * kRowTiles;
  float sums[kOutputTiles][kRowTiles][4] = {};
  sum_chunks<type, kRowTiles>(sums, op, static_cast<const std::uint16_t*>(op.scratch), first_n,
                              first_m);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int warp = 0; warp < kWarps; ++warp) {
    if (static_cast<int>(threadIdx.x) / 32 == warp) {
#pragma unroll
      for (int tile = 0; tile < kOutputTiles; ++tile)
#pragma unroll
        for (int rows = 0; rows < kRowTiles; ++rows)
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const int n = 16 * tile + i / 2 * 8 + lane / 4;
            const int m = 8 * rows + lane % 4 * 2 + i % 2;
            total[m][n] = warp == 0 ? sums[tile][rows][i] : total[m][n] + sums[tile][rows][i];
          }
    }
    __syncthreads();
  }
  for (int i = threadIdx.x; i < 8 * kRowTiles * kOutputs; i += kThreads) {
    const int m = first_m + i / kOutputs;
    const int n = first_n + i % kOutputs;
    if (m >= op.M || n >= op.w.n) continue;
    const float sum = total[i / kOutputs][i % kOutputs];
    finish(op, m, n, type == WeightType::Bf16 ? sum : sum * op.w.scales[n]);
  }
}

__global__ void round_rows_kernel(MatmulOp op) {
  const int k_padded = padded_k(op.w.k);
  const int m = blockIdx.x;
  auto* to = static_cast<std::uint16_t*>(op.scratch) + static_cast<std::size_t>(m) * k_padded;
  const float* from = op.x + static_cast<std::size_t>(m) * op.x_stride;
  for (int k = threadIdx.x; k < k_padded; k += kThreads)
    to[k] = m < op.M && k < op.w.k ? f32_to_bf16(from[k]) : 0;
}

template <WeightType type, int kRowTiles>
void launch_tensor(const MatmulOp& op, CUstream_st* stream) {
  launch(
      matmul_tensor_kernel<type, kRowTiles>,
      {.grid = dim3(ceil_div(op.w.n, kOutputs), ceil_div(op.M, 8 * kRowTiles)), .block = kThreads},
      stream, op);
}

template <WeightType type>
void launch_for_rows(const MatmulOp& op, CUstream_st* stream) {
  if (op.M <= 16) return launch_tensor<type, 2>(op, stream);
  if (op.M <= 32) return launch_tensor<type, 4>(op, stream);
  launch_tensor<type, kMaxRowTiles>(op, stream);
}

int padded_rows(int M) { return ceil_div(M, 8 * kMaxRowTiles) * 8 * kMaxRowTiles; }

}  // namespace

std::size_t matmul_scratch(int M, int k) {
  return static_cast<std::size_t>(padded_rows(M)) * padded_k(k) * sizeof(std::uint16_t);
}

void round_rows(const MatmulOp& op, CUstream_st* stream) {
  launch(round_rows_kernel, {.grid = padded_rows(op.M), .block = kThreads}, stream, op);
}

void matmul_tensor(const MatmulOp& op, CUstream_st* stream) {
  round_rows(op, stream);
  switch (op.w.type) {
    case WeightType::Bf16:
      return launch_for_rows<WeightType::Bf16>(op, stream);
    case WeightType::Int8:
      return launch_for_rows<WeightType::Int8>(op, stream);
    case WeightType::Int4:
      return launch_for_rows<WeightType::Int4>(op, stream);
    case WeightType::F32:
      break;  // matmul_f32()
  }
}

void matmul(const MatmulOp& op, CUstream_st* stream) {
  if (op.M == 0) return;
  if (op.w.type == WeightType::F32)
    matmul_f32(op, stream);
  else
    matmul_tensor(op, stream);
}

}  // namespace lacuna::kernels::cuda
