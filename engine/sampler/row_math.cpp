// Each loop is written once and always inlined into one function for each instruction set, where
// the compiler vectorises it (this file is compiled with -O3, whatever the preset; see
// CMakeLists.txt). Accumulators are arrays of kLanes: sums must not depend on the vector's width.
#include "engine/sampler/row_math.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <limits>

namespace lacuna::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kLanes = 32;
static_assert(kRowBlock % kLanes == 0);

// ln 2 in two parts; the first has few bits, so its product with a small integer is exact.
constexpr float kLn2High = 0.693359375F;
constexpr float kLn2Low = -2.12194440e-4F;

// For x <= 0. Polynomials of Cephes (expf, logf).
[[gnu::always_inline]] inline float exp_of(float x) {
  constexpr float kRounder = 0x1.8p23F;  // adding it leaves the nearest integer in the low bits
  const float shifted = x * 1.44269504F + kRounder;
  const float n = shifted - kRounder;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float y = 1.9875691500E-4F;
  y = y * r + 1.3981999507E-3F;
  y = y * r + 8.3334519073E-3F;
  y = y * r + 4.1665795894E-2F;
  y = y * r + 1.6666665459E-1F;
  y = y * r + 5.0000001201E-1F;
  y = y * (r * r) + r + 1.0F;
  const float power = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23);
  // This way round NaN is not below anything and comes through.
  return x < -87.0F ? 0.0F : y * power;
}

// For normal x > 0.
[[gnu::always_inline]] inline float log_of(float x) {
  constexpr std::uint32_t kSqrtHalf = 0x3F3504F3U;  // the bits of sqrt(1/2)
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x) - kSqrtHalf;
  const auto exponent = static_cast<float>(static_cast<std::int32_t>(bits) >> 23);
  const float f = std::bit_cast<float>((bits & 0x7FFFFFU) + kSqrtHalf) - 1.0F;
  const float z = f * f;
  float y = 7.0376836292E-2F;
  y = y * f - 1.1514610310E-1F;
  y = y * f + 1.1676998740E-1F;
  y = y * f - 1.2420140846E-1F;
  y = y * f + 1.4249322787E-1F;
  y = y * f - 1.6668057665E-1F;
  y = y * f + 2.0000714765E-1F;
  y = y * f - 2.4999993993E-1F;
  y = y * f + 3.3333331174E-1F;
  y = y * f * z + exponent * kLn2Low - 0.5F * z;
  return (f + y) + exponent * kLn2High;
}

// Sum of term(i) for i in [begin, end), at most one block.
template <class Term>
[[gnu::always_inline]] inline double block_sum(int begin, int end, const Term& term) {
  float lanes[kLanes] = {};
  int i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) lanes[j] += term(i + j);
  }
  for (int j = 0; i + j < end; ++j) lanes[j] += term(i + j);
  double sum = 0;
  for (int j = 0; j < kLanes; ++j) sum += lanes[j];
  return sum;
}

template <class Term>
[[gnu::always_inline]] inline double row_sum(int n, const Term& term) {
  double sum = 0;
  for (int begin = 0; begin < n; begin += kRowBlock) {
    sum += block_sum(begin, std::min(n, begin + kRowBlock), term);
  }
  return sum;
}

[[gnu::always_inline]] inline void prepare(float* __restrict out, const float* __restrict logits,
                                           const std::uint8_t* __restrict allowed, float divisor,
                                           int n) {
  if (allowed == nullptr) {
    for (int i = 0; i < n; ++i) out[i] = logits[i] / divisor;
    return;
  }
  for (int i = 0; i < n; ++i) {
    const float x = logits[i] / divisor;
    out[i] = allowed[i] != 0 ? x : -kInfinity;
  }
}

[[gnu::always_inline]] inline void column_maxima(float* __restrict maxima,
                                                 const float* __restrict x, int n) {
  for (int tile = 0; tile < n; tile += kRowTile, maxima += kRowColumns) {
    const int end = std::min(n, tile + kRowTile);
    for (int j = 0; j < kRowColumns; ++j) maxima[j] = -kInfinity;
    int i = tile;
    for (; i + kRowColumns <= end; i += kRowColumns) {
      for (int j = 0; j < kRowColumns; ++j) maxima[j] = x[i + j] > maxima[j] ? x[i + j] : maxima[j];
    }
    for (int j = 0; i + j < end; ++j) maxima[j] = x[i + j] > maxima[j] ? x[i + j] : maxima[j];
  }
}

[[gnu::always_inline]] inline double exponentials(float* __restrict weights,
                                                  double* __restrict sums,
                                                  const float* __restrict x, float largest, int n) {
  double total = 0;
  for (int begin = 0; begin < n; begin += kRowBlock) {
    const int end = std::min(n, begin + kRowBlock);
    const double sum = block_sum(begin, end, [=](int i) __attribute__((always_inline)) {
      const float weight = exp_of(x[i] - largest);
      weights[i] = weight;
      return weight;
    });
    sums[begin / kRowBlock] = sum;
    total += sum;
  }
  return total;
}

[[gnu::always_inline]] inline double negative_entropy(const float* __restrict weights, float scale,
                                                      int n) {
  return row_sum(n, [=](int i) __attribute__((always_inline)) {
    const float p = weights[i] * scale;
    return p * log_of(p + 1e-10F);
  });
}

[[gnu::always_inline]] inline void divide(float* x, float divisor, int n) {
  for (int i = 0; i < n; ++i) x[i] /= divisor;
}

[[gnu::always_inline]] inline RowTail tail_at(const float* __restrict probabilities,
                                              const float* __restrict x, float cutoff, int n) {
  double masses[kLanes] = {};
  int counts[kLanes] = {};
  const auto add = [&](int i, int lane) __attribute__((always_inline)) {
    masses[lane] += x[i] >= cutoff ? probabilities[i] : 0.0F;
    counts[lane] += x[i] >= cutoff ? 1 : 0;
  };
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) add(i + j, j);
  }
  for (int j = 0; i + j < n; ++j) add(i + j, j);
  RowTail tail{0, 0};
  for (int j = 0; j < kLanes; ++j) {
    tail.mass += masses[j];
    tail.count += counts[j];
  }
  return tail;
}

[[gnu::always_inline]] inline void drop_below(float* x, float cutoff, int n) {
  // This way round NaN stays, and is found by exponentials().
  for (int i = 0; i < n; ++i) x[i] = x[i] < cutoff ? -kInfinity : x[i];
}

// One class for each instruction set: run() is kBody, compiled for it.
template <auto kBody>
struct Base;
template <class R, class... Args, R (*kBody)(Args...)>
struct Base<kBody> {
  static R run(Args... args) { return kBody(args...); }
};

#if defined(__x86_64__)
template <auto kBody>
struct Avx2;
template <class R, class... Args, R (*kBody)(Args...)>
struct Avx2<kBody> {
  [[gnu::target("avx2")]] static R run(Args... args) { return kBody(args...); }
};

template <auto kBody>
struct Avx512;
template <class R, class... Args, R (*kBody)(Args...)>
struct Avx512<kBody> {
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl")]] static R run(Args... args) {
    return kBody(args...);
  }
};
#endif

template <template <auto> class Isa>
constexpr RowMath compiled_for(const char* name) {
  return {name,
          Isa<prepare>::run,
          Isa<column_maxima>::run,
          Isa<exponentials>::run,
          Isa<negative_entropy>::run,
          Isa<divide>::run,
          Isa<tail_at>::run,
          Isa<drop_below>::run};
}

constexpr std::array kAll{
    compiled_for<Base>("base"),
#if defined(__x86_64__)
    compiled_for<Avx2>("avx2"),
    compiled_for<Avx512>("avx512"),
#endif
};

std::size_t count_usable() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") == 0) return 1;
  const bool has_avx512 =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  return has_avx512 ? 3 : 2;
#else
  return 1;
#endif
}

}  // namespace

std::span<const RowMath> all_row_math() {
  static const std::size_t n_usable = count_usable();
  return std::span(kAll).first(n_usable);
}

const RowMath& row_math() { return all_row_math().back(); }

}  // namespace lacuna::engine
