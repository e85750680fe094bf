// Attention of kernels/kernels.h over a bf16 cache, on the tensor cores (FlashAttention-2, Dao,
// 2307.08691: online softmax, no T x T array anywhere).
//
// Work      The query heads that share a key head are rows of one product: row r = m * G + j is
//           query head j of the group of row m, G = H / K. A block of 4 warps takes 64 such rows of
//           a key head, 16 a warp, and a range of the keys in tiles of 64. With few rows the keys
//           are split over blocks, and a second kernel merges the parts.
// Memory    reads M*H*P floats, and the keys and values of the range once for each block of rows,
//           through shared memory; rows there are padded by 16 bytes, which spreads a fragment's
//           reads over all banks.
// Numerics  bf16 in, float sums. The number of parts depends on the bucket that the rows of a canvas
//           fill, so the bits of a row do too; tests allow 1e-2 relative to the float result.
// Measured  not yet: no GPU was at hand.
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/kv_layout.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/mma.cuh"

namespace lacuna::kernels::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kRows = kWarps * 16;
constexpr int kKeys = 64;
constexpr int kPad = 8;             // bf16 numbers
constexpr int kTargetBlocks = 256;  // about two for each multiprocessor of a large GPU
constexpr int kMaxParts = 32;

struct Split {
  int parts;
  int keys_per_part;  // a multiple of kKeys
};

// Rows that share a key head, in blocks.
constexpr int row_blocks(int M, int H, int K) { return ceil_div(M * (H / K), kRows); }

// Of the keys, for so many rows, at the most.
constexpr int most_parts(int M, int H, int K) {
  // As many as for the bucket, so that a row has the same bits in a step and in any other pass.
  const int padded = step_bucket(M) == 0 ? M : step_bucket(M);
  const int parts = kTargetBlocks / (row_blocks(padded, H, K) * K);
  return parts < 1 ? 1 : (parts > kMaxParts ? kMaxParts : parts);
}

constexpr Split split_of(int M, int H, int K, int T) {
  const int tiles = ceil_div(T, kKeys);
  int parts = most_parts(M, H, K);
  parts = parts > tiles ? tiles : parts;
  const int tiles_per_part = ceil_div(tiles, parts);
  return {ceil_div(tiles, tiles_per_part), tiles_per_part * kKeys};
}

// Rows of one canvas, and where their partial results begin.
struct RowsOfPart {
  StepPart part;
  Split split;
  int block;             // of `part`, for a block of rows
  std::size_t partials;  // counted in rows of P + 2
};

// What a block of rows works on, or a row for `of_row`. Without rows if there is nothing to do.
__device__ RowsOfPart rows_of_part(const AttentionOp& op, int index, bool of_row) {
  RowsOfPart rows{};
  if (op.parts == nullptr) {
    rows.part = {0, op.M, 0, op.T};
    rows.split = split_of(op.M, op.H, op.cache.K, op.T);
    rows.block = index;
    return rows;
  }
  const int G = op.H / op.cache.K;
  for (int i = 0; i < op.n_parts; ++i) {
    const StepPart part = op.parts[i];
    if (part.rows == 0) continue;
    const Split split = split_of(part.rows, op.H, op.cache.K, part.T);
    const int size = of_row ? part.rows * G : row_blocks(part.rows, op.H, op.cache.K);
    if (index < size) {
      rows.part = part;
      rows.split = split;
      rows.block = index;
      return rows;
    }
    index -= size;
    rows.partials += static_cast<std::size_t>(split.parts) * part.rows * op.H;
  }
  return rows;
}

__device__ std::uint32_t pair_at(const std::uint16_t* numbers) {
  return *reinterpret_cast<const std::uint32_t*>(numbers);
}

// What a warp has of its 16 rows while it goes through the keys. A lane holds columns of the rows
// lane / 4 and lane / 4 + 8, called low and high.
template <int P>
struct WarpState {
  float sums[P / 8][4] = {};
  float largest[2] = {-INFINITY, -INFINITY};
  float total[2] = {};  // of the lane's own columns
};

// Copies a tile of keys [64][P] and values [P][64] to shared memory, 16 bytes a thread at a time.
// Positions from T on give zeros: memory there may hold NaN.
template <int P>
__device__ void load_tile(std::uint16_t* keys, std::uint16_t* values,
                          const KvArrays<std::uint16_t>& cache, int head, int begin, int T) {
  constexpr int kVector = 8;
  const uint4 zero = {0, 0, 0, 0};
  for (int i = threadIdx.x; i < kKeys * P / kVector; i += kThreads) {
    const int key = i / (P / kVector);
    const int p = i % (P / kVector) * kVector;
    const bool inside = begin + key < T;
    *reinterpret_cast<uint4*>(keys + key * (P + kPad) + p) =
        inside ? *reinterpret_cast<const uint4*>(&cache.key(head, begin + key, p)) : zero;
  }
  for (int i = threadIdx.x; i < P * kKeys / kVector; i += kThreads) {
    const int p = i / (kKeys / kVector);
    const int key = i % (kKeys / kVector) * kVector;
    std::uint16_t* to = values + p * (kKeys + kPad) + key;
    const std::uint16_t* from = &cache.value(head, begin + key, p);
    if (begin + key + kVector <= T) {
      *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
    } else {
      for (int j = 0; j < kVector; ++j) to[j] = begin + key + j < T ? from[j] : 0;
    }
  }
}

// scores[n] = the products of the warp's 16 rows and the keys 8 n to 8 n + 7 of the tile.
template <int P>
__device__ void score_tile(float (&scores)[kKeys / 8][4], const std::uint32_t (&q)[P / 16][4],
                           const std::uint16_t* keys, int g, int t) {
#pragma unroll
  for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[n][i] = 0;
    const std::uint16_t* key = keys + (8 * n + g) * (P + kPad) + 2 * t;
#pragma unroll
    for (int step = 0; step < P / 16; ++step) {
      const std::uint32_t b[2] = {pair_at(key + 16 * step), pair_at(key + 16 * step + 8)};
      mma_bf16(scores[n], q[step], b);
    }
  }
}

// Turns scores into weights exp(score - largest), and makes the state refer to the new largest.
template <int P>
__device__ void weigh_tile(float (&scores)[kKeys / 8][4], WarpState<P>& state, int begin, int T,
                           int t) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    float largest = state.largest[row];
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[n][2 * row + i];
        if (begin + 8 * n + 2 * t + i >= T) score = -INFINITY;
        largest = largest < score ? score : largest;
      }
    // The four lanes that share the row; every tile has at least one key, so it is finite.
    for (int mask = 1; mask <= 2; mask <<= 1) {
      const float other = __shfl_xor_sync(0xffffffffU, largest, mask);
      largest = largest < other ? other : largest;
    }
    const float shrink = __expf(state.largest[row] - largest);
    state.largest[row] = largest;
    float total = state.total[row] * shrink;
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& weight = scores[n][2 * row + i];
        weight = __expf(weight - largest);
        total += weight;
      }
    state.total[row] = total;
#pragma unroll
    for (int n = 0; n < P / 8; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i) state.sums[n][2 * row + i] *= shrink;
  }
}

// sums += weights values. The layout of a product's result is that of its left operand.
template <int P>
__device__ void add_values(WarpState<P>& state, const float (&weights)[kKeys / 8][4],
                           const std::uint16_t* values, int g, int t) {
#pragma unroll
  for (int step = 0; step < kKeys / 16; ++step) {
    const float(&first)[4] = weights[2 * step];
    const float(&second)[4] = weights[2 * step + 1];
    const std::uint32_t a[4] = {pack_bf16(first[0], first[1]), pack_bf16(first[2], first[3]),
                                pack_bf16(second[0], second[1]), pack_bf16(second[2], second[3])};
#pragma unroll
    for (int n = 0; n < P / 8; ++n) {
      const std::uint16_t* value = values + (8 * n + g) * (kKeys + kPad) + 16 * step + 2 * t;
      const std::uint32_t b[2] = {pair_at(value), pair_at(value + 8)};
      mma_bf16(state.sums[n], a, b);
    }
  }
}

// Part z of the keys: y, or the unnormalised sums with largest and total for the merge.
template <int P>
__global__ void attention_kernel(AttentionOp op) {
  std::uint16_t* keys = dynamic_shared<std::uint16_t>();
  std::uint16_t* values = keys + kKeys * (P + kPad);
  const RowsOfPart mine = rows_of_part(op, blockIdx.x, false);
  const Split& split = mine.split;
  const int T = mine.part.T;
  const int begin = blockIdx.z * split.keys_per_part;
  if (mine.part.rows == 0 || begin >= T) return;  // the whole block
  const KvArrays<std::uint16_t> cache(op.cache, mine.part.slot);
  const int G = op.H / op.cache.K;
  const int rows = mine.part.rows * G;
  const int head = blockIdx.y;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int g = lane / 4;
  const int t = lane % 4;
  const int first_row = mine.block * kRows + static_cast<int>(threadIdx.x) / 32 * 16;
  // Where the numbers of row r of this key head are in q and y.
  const auto place_of = [&](int r) {
    return (static_cast<std::size_t>(mine.part.first + r / G) * op.H + head * G + r % G) * P;
  };

  std::uint32_t q[P / 16][4];
#pragma unroll
  for (int step = 0; step < P / 16; ++step)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = first_row + g + i % 2 * 8;
      const float* from = op.q + (r < rows ? place_of(r) : 0) + 16 * step + i / 2 * 8 + 2 * t;
      q[step][i] = r < rows ? pack_bf16(from[0] * op.scale, from[1] * op.scale) : 0;
    }

  WarpState<P> state;
  const int end = begin + split.keys_per_part < T ? begin + split.keys_per_part : T;
  for (int tile = begin; tile < end; tile += kKeys) {
    load_tile<P>(keys, values, cache, head, tile, T);
    __syncthreads();
    float scores[kKeys / 8][4];
    score_tile<P>(scores, q, keys, g, t);
    weigh_tile<P>(scores, state, tile, T, t);
    add_values<P>(state, scores, values, g, t);
    __syncthreads();  // the next tile overwrites this one
  }

#pragma unroll
  for (int row = 0; row < 2; ++row) {
    float total = state.total[row];
    for (int mask = 1; mask <= 2; mask <<= 1) total += __shfl_xor_sync(0xffffffffU, total, mask);
    const int r = first_row + g + row * 8;
    if (r >= rows) continue;
    float* to = op.y + place_of(r);
    float factor = 1.0F / total;
    if (split.parts > 1) {
      const std::size_t part =
          mine.partials + (static_cast<std::size_t>(blockIdx.z) * op.cache.K + head) * rows + r;
      to = op.partials + part * (P + 2);
      factor = 1.0F;
      if (t == 0) {
        to[P] = state.largest[row];
        to[P + 1] = total;
      }
    }
#pragma unroll
    for (int n = 0; n < P / 8; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i) to[8 * n + 2 * t + i] = state.sums[n][2 * row + i] * factor;
  }
}

// y of one row of one key head from its parts. A thread for each number of the head.
__global__ void merge_kernel(AttentionOp op) {
  const int P = op.cache.P;
  const int G = op.H / op.cache.K;
  const RowsOfPart mine = rows_of_part(op, blockIdx.x, true);
  const Split& split = mine.split;
  const int rows = mine.part.rows * G;
  if (rows == 0 || split.parts == 1) return;
  const int r = mine.block;
  const int head = blockIdx.y;
  const auto part_at = [&](int part) {
    const std::size_t at =
        mine.partials + (static_cast<std::size_t>(part) * op.cache.K + head) * rows + r;
    return op.partials + at * (P + 2);
  };
  float largest = -INFINITY;
  for (int part = 0; part < split.parts; ++part) {
    const float other = part_at(part)[P];
    largest = largest < other ? other : largest;
  }
  float total = 0;
  for (int part = 0; part < split.parts; ++part)
    total += part_at(part)[P + 1] * __expf(part_at(part)[P] - largest);
  for (int p = threadIdx.x; p < P; p += blockDim.x) {
    float sum = 0;
    for (int part = 0; part < split.parts; ++part)
      sum += part_at(part)[p] * __expf(part_at(part)[P] - largest);
    op.y[(static_cast<std::size_t>(mine.part.first + r / G) * op.H + head * G + r % G) * P + p] =
        sum / total;
  }
}

template <int P>
void launch_attention(const AttentionOp& op, CUstream_st* stream) {
  const int K = op.cache.K;
  // In a step the rows of each part begin a block, and how they are split is found on the device.
  const int blocks = row_blocks(op.M, op.H, K) + (op.parts == nullptr ? 0 : op.n_parts - 1);
  const int parts = op.parts == nullptr ? split_of(op.M, op.H, K, op.T).parts
                                        : most_parts(op.least_rows, op.H, K);
  constexpr std::size_t kSharedBytes =
      (kKeys * (P + kPad) + P * (kKeys + kPad)) * sizeof(std::uint16_t);
  allow_shared_bytes(attention_kernel<P>, kSharedBytes);
  launch(attention_kernel<P>,
         {.grid = dim3(blocks, K, parts), .block = kThreads, .shared_bytes = kSharedBytes}, stream,
         op);
  if (parts == 1) return;
  launch(merge_kernel, {.grid = dim3(op.M * (op.H / K), K), .block = 64}, stream, op);
}

}  // namespace

std::size_t attention_partials(int M, int H, int P) {
  // There is more than one part only where all parts together are at most kTargetBlocks blocks.
  const std::size_t most = static_cast<std::size_t>(kTargetBlocks) * kRows;
  const std::size_t rows = static_cast<std::size_t>(M) * H * kMaxParts;
  return (rows < most ? rows : most) * (static_cast<std::size_t>(P) + 2);
}

std::size_t step_partials(int M, int n_parts, int H, int P) {
  const std::size_t most = static_cast<std::size_t>(kTargetBlocks) * kRows * n_parts;
  const std::size_t rows = static_cast<std::size_t>(M) * H * kMaxParts;
  return (rows < most ? rows : most) * (static_cast<std::size_t>(P) + 2);
}

void attention_bf16(const AttentionOp& op, CUstream_st* stream) {
  switch (op.cache.P) {
    case 32:
      return launch_attention<32>(op, stream);
    case 64:
      return launch_attention<64>(op, stream);
    case 128:
      return launch_attention<128>(op, stream);
    default:
      throw CudaError(cudaErrorInvalidValue,
                      "attention: heads of a bf16 cache have 32, 64 or 128 numbers", __FILE__,
                      __LINE__);
  }
}

void attention(const AttentionOp& op, CUstream_st* stream) {
  if (op.M == 0) return;
  if (op.cache.type == KvType::F32)
    attention_f32(op, stream);
  else
    attention_bf16(op, stream);
}

}  // namespace lacuna::kernels::cuda
