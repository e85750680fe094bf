#include "kernels/cpu/aligned_buffer.h"
#include "kernels/cpu/kv_layout.h"
#include "kernels/kernels.h"
#include "tests/kernels/kernels_testing.h"

namespace lacuna::kernels {
namespace {

using testing::all_near;
using testing::isas;
using testing::numbers;
using testing::product;
using testing::same_bits;

struct Shape {
  int M;
  int H;
  int K;
  int P;
  int T;
  int capacity;
};

std::string describe(const char* op, Isa isa, const Shape& s) {
  return std::string(op) + " " + std::string(name_of(isa)) + " M=" + std::to_string(s.M) +
         " H=" + std::to_string(s.H) + " K=" + std::to_string(s.K) + " P=" + std::to_string(s.P) +
         " T=" + std::to_string(s.T);
}

// A cache, full of NaN at first: nothing may be read before it is stored.
struct Cache {
  AlignedBuffer keys;
  AlignedBuffer values;
  KvCacheView view{};

  explicit Cache(const Shape& s)
      : keys(kv_floats(s.capacity, s.K, s.P) * sizeof(float)),
        values(kv_floats(s.capacity, s.K, s.P) * sizeof(float)),
        view{.keys = keys.as<float>(),
             .values = values.as<float>(),
             .capacity = s.capacity,
             .K = s.K,
             .P = s.P} {
    std::fill_n(view.keys, kv_floats(s.capacity, s.K, s.P), NAN);
    std::fill_n(view.values, kv_floats(s.capacity, s.K, s.P), NAN);
  }
};

std::vector<float> key_of(const Cache& cache, int head, int place) {
  std::vector<float> key;
  for (int p = 0; p < cache.view.P; ++p)
    key.push_back(key_block(cache.view, head, place / kPanel)[p * kPanel + place % kPanel]);
  return key;
}

std::vector<float> value_of(const Cache& cache, int head, int place) {
  std::vector<float> value;
  for (int p = 0; p < cache.view.P; ++p)
    value.push_back(value_panel(cache.view, head, p / kPanel)[place * kPanel + p % kPanel]);
  return value;
}

struct Angles {
  std::vector<float> cos;
  std::vector<float> sin;

  explicit Angles(const Shape& s) {
    for (int t = 0; t < s.capacity; ++t)
      for (int i = 0; i < s.P / 2; ++i) {
        const double angle = t * std::pow(10000.0, -2.0 * i / s.P);
        cos.push_back(static_cast<float>(std::cos(angle)));
        sin.push_back(static_cast<float>(std::sin(angle)));
      }
  }
};

std::vector<std::int32_t> range(int first, int last) {
  std::vector<std::int32_t> result;
  for (int t = first; t < last; ++t) result.push_back(t);
  return result;
}

// Stores rows of qkv at their positions; returns q.
std::vector<float> store(CpuContext& context, const Cache& cache, const Shape& s, const float* qkv,
                         const std::vector<std::int32_t>& positions) {
  const Angles angles(s);
  const int M = static_cast<int>(positions.size());
  std::vector<float> q(product(M, s.H * s.P));
  rope_store(context, {.q = q.data(),
                       .cache = cache.view,
                       .qkv = qkv,
                       .positions = positions.data(),
                       .cos = angles.cos.data(),
                       .sin = angles.sin.data(),
                       .M = M,
                       .H = s.H});
  return q;
}

// The definition of RoPE: one head of one row, rotated to position t.
std::vector<float> rotated(const float* x, const Angles& angles, const Shape& s, int t) {
  std::vector<float> y(static_cast<std::size_t>(s.P));
  const std::size_t half = y.size() / 2;
  for (std::size_t i = 0; i < half; ++i) {
    const float c = angles.cos[product(t, s.P / 2) + i];
    const float n = angles.sin[product(t, s.P / 2) + i];
    y[i] = x[i] * c - x[i + half] * n;
    y[i + half] = x[i + half] * c + x[i] * n;
  }
  return y;
}

// The definition of attention, in double, with the keys and values of `qkv` rows 0 to T - 1.
std::vector<float> expected(const std::vector<float>& q, const std::vector<float>& qkv,
                            const Shape& s, float scale) {
  const int width = (s.H + 2 * s.K) * s.P;
  const Angles angles(s);
  std::vector<std::vector<float>> keys;
  for (int t = 0; t < s.T; ++t)
    for (int g = 0; g < s.K; ++g)
      keys.push_back(rotated(qkv.data() + product(t, width) + product(s.H + g, s.P), angles, s, t));
  std::vector<float> y(product(s.M, s.H * s.P));
  for (int m = 0; m < s.M; ++m)
    for (int h = 0; h < s.H; ++h) {
      const std::size_t row = product(m, s.H * s.P) + product(h, s.P);
      const int g = h / (s.H / s.K);
      std::vector<double> weights;
      double largest = -INFINITY;
      for (int t = 0; t < s.T; ++t) {
        double dot = 0;
        for (int p = 0; p < s.P; ++p)
          dot += static_cast<double>(q[row + p]) * keys[product(t, s.K) + g][p];
        weights.push_back(scale * dot);
        largest = std::max(largest, weights.back());
      }
      double sum = 0;
      for (double& weight : weights) sum += weight = std::exp(weight - largest);
      for (int p = 0; p < s.P; ++p) {
        double mixed = 0;
        for (int t = 0; t < s.T; ++t)
          mixed += weights[t] / sum * qkv[product(t, width) + product(s.H + s.K + g, s.P) + p];
        y[row + p] = static_cast<float>(mixed);
      }
    }
  return y;
}

std::vector<float> run(CpuContext& context, const Cache& cache, const float* q, const Shape& s,
                       float scale) {
  std::vector<float> y(product(s.M, s.H * s.P), -77.0F);
  attention(
      context,
      {.y = y.data(), .q = q, .cache = cache.view, .M = s.M, .H = s.H, .T = s.T, .scale = scale});
  return y;
}

void check_attention(const Shape& s) {
  const float scale = 3.0F / std::sqrt(static_cast<float>(s.P));
  const std::vector<float> qkv = numbers(product(s.T, (s.H + 2 * s.K) * s.P), 4);
  for (const Isa isa : isas()) {
    CpuContext context(isa, 2);
    const Cache cache(s);
    const std::vector<float> q = store(context, cache, s, qkv.data(), range(0, s.T));
    EXPECT_TRUE(all_near(describe("attention", isa, s), run(context, cache, q.data(), s, scale),
                         expected(q, qkv, s, scale), 1e-5F));
  }
}

TEST(RopeStoreTest, RotatesQueries) {
  for (const int P : {2, 6, 16, 64, 70, 256}) {
    const Shape s{.M = 3, .H = 2, .K = 1, .P = P, .T = 3, .capacity = 130};
    const std::vector<std::int32_t> positions{129, 0, 64};
    const std::vector<float> qkv = numbers(product(3, 4 * P), 5);
    for (const Isa isa : isas()) {
      CpuContext context(isa, 2);
      const Cache cache(s);
      const std::vector<float> q = store(context, cache, s, qkv.data(), positions);
      for (int m = 0; m < 3; ++m)
        for (int h = 0; h < 2; ++h) {
          const std::size_t at = product(m, 2 * P) + product(h, P);
          EXPECT_TRUE(all_near(describe("rope", isa, s), {q.begin() + at, q.begin() + at + P},
                               rotated(qkv.data() + product(m, 4 * P) + product(h, P), Angles(s), s,
                                       positions[static_cast<std::size_t>(m)]),
                               1e-6F));
        }
    }
  }
}

TEST(AttentionTest, MixesValuesByTheSoftmaxOfScores) {
  check_attention({.M = 1, .H = 1, .K = 1, .P = 2, .T = 1, .capacity = 1});
  check_attention({.M = 3, .H = 2, .K = 1, .P = 16, .T = 5, .capacity = 7});
  check_attention({.M = 31, .H = 4, .K = 2, .P = 32, .T = 63, .capacity = 64});
  check_attention({.M = 64, .H = 2, .K = 2, .P = 64, .T = 64, .capacity = 65});
  check_attention({.M = 65, .H = 3, .K = 1, .P = 64, .T = 65, .capacity = 300});
  check_attention({.M = 9, .H = 2, .K = 1, .P = 80, .T = 257, .capacity = 257});
  check_attention({.M = 13, .H = 1, .K = 1, .P = 128, .T = 130, .capacity = 130});
  check_attention({.M = 2, .H = 1, .K = 1, .P = 256, .T = 33, .capacity = 33});
}

TEST(AttentionTest, TakesMoreRowsAndPositionsThanOneTaskDoes) {
  check_attention({.M = 200, .H = 1, .K = 1, .P = 4, .T = 3001, .capacity = 3001});
}

TEST(AttentionTest, GivesARowTheSameBitsWhateverItsNeighboursAndThreads) {
  const Shape s{.M = 70, .H = 4, .K = 2, .P = 32, .T = 70, .capacity = 70};
  const std::vector<float> qkv = numbers(product(s.T, 8 * 32), 6);
  for (const Isa isa : isas()) {
    CpuContext context(isa, 2);
    CpuContext alone(isa, 1);
    const Cache cache(s);
    const std::vector<float> q = store(context, cache, s, qkv.data(), range(0, s.T));
    const std::vector<float> want = run(context, cache, q.data(), s, 0.3F);
    for (int M = 1; M <= 70; ++M)
      for (const int first : {0, 70 - M}) {
        Shape part = s;
        part.M = M;
        const std::size_t at = product(first, s.H * s.P);
        EXPECT_TRUE(
            same_bits(describe("attention", isa, part),
                      run(M % 2 == 0 ? alone : context, cache, q.data() + at, part, 0.3F).data(),
                      want.data() + at, product(M, s.H * s.P)));
      }
  }
}

// What a cache does: old positions stay, some are replaced, and only T of them count.
TEST(AttentionTest, UsesTheLatestKeysAndValuesOfEachPosition) {
  const Shape s{.M = 70, .H = 2, .K = 1, .P = 16, .T = 70, .capacity = 100};
  const int width = 4 * 16;
  const std::vector<float> old = numbers(product(100, width), 7);
  std::vector<float> current = numbers(product(70, width), 8);
  for (const Isa isa : isas()) {
    CpuContext context(isa, 2);
    const Cache cache(s);
    store(context, cache, s, old.data(), range(0, 100));
    store(context, cache, s, current.data() + product(40, width), range(40, 70));
    store(context, cache, s, current.data(), range(0, 40));
    const Cache fresh(s);
    const std::vector<float> q = store(context, fresh, s, current.data(), range(0, 70));
    EXPECT_TRUE(same_bits(describe("attention", isa, s),
                          run(context, cache, q.data(), s, 0.5F).data(),
                          run(context, fresh, q.data(), s, 0.5F).data(), product(70, 32)));
  }
}

TEST(AttentionTest, TheResultMayStandWhereTheQueriesStood) {
  const Shape s{.M = 70, .H = 4, .K = 2, .P = 80, .T = 90, .capacity = 90};
  const std::vector<float> qkv = numbers(product(s.T, 8 * 80), 6);
  for (const Isa isa : isas()) {
    CpuContext context(isa, 3);
    const Cache cache(s);
    std::vector<float> q = store(context, cache, s, qkv.data(), range(0, s.T));
    const std::vector<float> want = run(context, cache, q.data(), s, 0.3F);
    attention(context, {.y = q.data(),
                        .q = q.data(),
                        .cache = cache.view,
                        .M = s.M,
                        .H = s.H,
                        .T = s.T,
                        .scale = 0.3F});
    EXPECT_TRUE(same_bits(describe("in place", isa, s), q.data(), want.data(), want.size()));
  }
}

// The definition of the weights, in double, of the rows at these positions.
std::vector<float> expected_weights(const std::vector<float>& q, const std::vector<float>& qkv,
                                    const Shape& s, const std::vector<std::int32_t>& rows,
                                    float scale) {
  const int width = (s.H + 2 * s.K) * s.P;
  const Angles angles(s);
  std::vector<double> sums(product(s.H, s.T));
  for (const std::int32_t m : rows)
    for (int h = 0; h < s.H; ++h) {
      std::vector<double> weights;
      double sum = 0;
      for (int t = 0; t < s.T; ++t) {
        const std::size_t at = product(t, width) + product(s.H + h / (s.H / s.K), s.P);
        const std::vector<float> key = rotated(qkv.data() + at, angles, s, t);
        double dot = 0;
        for (int p = 0; p < s.P; ++p)
          dot += static_cast<double>(q[product(m, s.H * s.P) + product(h, s.P) + p]) * key[p];
        weights.push_back(std::exp(scale * dot));
        sum += weights.back();
      }
      for (int t = 0; t < s.T; ++t) sums[product(h, s.T) + t] += weights[t] / sum;
    }
  return {sums.begin(), sums.end()};
}

std::vector<float> weights_of(CpuContext& context, const Cache& cache, const std::vector<float>& q,
                              const Shape& s, const std::vector<std::int32_t>& rows, float scale) {
  std::vector<float> y(product(s.H, s.T), -77.0F);
  attention_weights(context, {.y = y.data(),
                              .q = q.data(),
                              .rows = rows.data(),
                              .cache = cache.view,
                              .M = static_cast<int>(rows.size()),
                              .H = s.H,
                              .T = s.T,
                              .scale = scale});
  return y;
}

TEST(AttentionWeightsTest, AddsUpWhatTheRowsGiveEachPosition) {
  for (const Shape& s : {Shape{.M = 1, .H = 1, .K = 1, .P = 2, .T = 1, .capacity = 1},
                         Shape{.M = 63, .H = 4, .K = 2, .P = 32, .T = 63, .capacity = 64},
                         Shape{.M = 65, .H = 3, .K = 1, .P = 70, .T = 65, .capacity = 300},
                         Shape{.M = 130, .H = 2, .K = 2, .P = 128, .T = 130, .capacity = 130}}) {
    const std::vector<float> qkv = numbers(product(s.T, (s.H + 2 * s.K) * s.P), 4);
    const float scale = 2.0F / std::sqrt(static_cast<float>(s.P));
    for (const Isa isa : isas()) {
      CpuContext context(isa, 2);
      const Cache cache(s);
      const std::vector<float> q = store(context, cache, s, qkv.data(), range(0, s.T));
      for (const auto& rows : {std::vector<std::int32_t>{s.T - 1}, range(s.T / 3, s.T),
                               std::vector<std::int32_t>{0, s.T / 2}}) {
        EXPECT_TRUE(all_near(describe("weights", isa, s),
                             weights_of(context, cache, q, s, rows, scale),
                             expected_weights(q, qkv, s, rows, scale), 1e-5F));
      }
    }
  }
}

TEST(AttentionWeightsTest, AreThoseThatAttentionMixesValuesWith) {
  const Shape s{.M = 70, .H = 2, .K = 1, .P = 16, .T = 70, .capacity = 70};
  const std::vector<float> qkv = numbers(product(s.T, 4 * 16), 6);
  for (const Isa isa : isas()) {
    CpuContext context(isa, 2);
    const Cache cache(s);
    const std::vector<float> q = store(context, cache, s, qkv.data(), range(0, s.T));
    const std::vector<float> mixed = run(context, cache, q.data(), s, 0.4F);
    const std::vector<float> weights = weights_of(context, cache, q, s, {33}, 0.4F);
    std::vector<float> by_hand(32);
    for (int h = 0; h < 2; ++h)
      for (int t = 0; t < s.T; ++t)
        for (int p = 0; p < 16; ++p)
          by_hand[product(h, 16) + p] += weights[product(h, s.T) + t] * value_of(cache, 0, t)[p];
    const std::size_t at = product(33, 32);
    EXPECT_TRUE(all_near(describe("weights", isa, s), by_hand,
                         {mixed.begin() + at, mixed.begin() + at + 32}, 1e-5F));
  }
}

TEST(AttentionWeightsTest, HaveTheSameBitsOnAnyNumberOfThreads) {
  const Shape s{.M = 40, .H = 6, .K = 3, .P = 32, .T = 100, .capacity = 100};
  const std::vector<float> qkv = numbers(product(s.T, 12 * 32), 9);
  for (const Isa isa : isas()) {
    CpuContext alone(isa, 1);
    CpuContext context(isa, 3);
    const Cache cache(s);
    const std::vector<float> q = store(context, cache, s, qkv.data(), range(0, s.T));
    const std::vector<float> want = weights_of(alone, cache, q, s, range(10, 40), 0.3F);
    const std::vector<float> got = weights_of(context, cache, q, s, range(10, 40), 0.3F);
    EXPECT_TRUE(same_bits(describe("weights", isa, s), got.data(), want.data(), want.size()));
  }
}

TEST(RopeStoreTest, AKeyMayLieAtAnotherPlaceThanItsPosition) {
  const Shape s{.M = 3, .H = 1, .K = 2, .P = 70, .T = 3, .capacity = 150};
  const std::vector<float> qkv = numbers(product(3, 5 * 70), 3);
  const Angles angles(s);
  CpuContext context(best_isa(), 2);
  const Cache by_place(s);
  const std::vector<std::int32_t> positions{140, 7, 66};
  std::vector<float> q(product(3, 70));
  const std::vector<std::int32_t> places{0, 1, 2};
  rope_store(context, {.q = q.data(),
                       .cache = by_place.view,
                       .qkv = qkv.data(),
                       .positions = positions.data(),
                       .places = places.data(),
                       .cos = angles.cos.data(),
                       .sin = angles.sin.data(),
                       .M = 3,
                       .H = 1});
  const Cache by_position(s);
  const std::vector<float> queries = store(context, by_position, s, qkv.data(), positions);
  EXPECT_TRUE(same_bits("queries", q.data(), queries.data(), q.size()));
  for (std::size_t m = 0; m < 3; ++m) {
    EXPECT_EQ(key_of(by_place, 1, places[m]), key_of(by_position, 1, positions[m]));
    EXPECT_EQ(value_of(by_place, 1, places[m]), value_of(by_position, 1, positions[m]));
  }
}

TEST(KvSwapTest, ExchangesTheRowsAndNothingElse) {
  const Shape s{.M = 100, .H = 1, .K = 2, .P = 70, .T = 100, .capacity = 100};
  CpuContext context(best_isa(), 2);
  const Cache a(s), b(s), old_a(s), old_b(s);
  for (const Cache* cache : {&a, &old_a})
    store(context, *cache, s, numbers(35000, 1).data(), range(0, 100));
  for (const Cache* cache : {&b, &old_b})
    store(context, *cache, s, numbers(35000, 2).data(), range(0, 100));
  const std::vector<std::int32_t> in_a{70, 3}, in_b{0, 99};
  kv_swap(context,
          {.a = a.view, .b = b.view, .a_places = in_a.data(), .b_places = in_b.data(), .M = 2});
  for (int t = 0; t < 100; ++t) {
    const auto swapped = std::find(in_a.begin(), in_a.end(), t);
    const bool stays = swapped == in_a.end();
    const int from = stays ? t : in_b[static_cast<std::size_t>(swapped - in_a.begin())];
    const Cache& source = stays ? old_a : old_b;
    EXPECT_EQ(key_of(a, 1, t), key_of(source, 1, from)) << t;
    EXPECT_EQ(value_of(a, 0, t), value_of(source, 0, from)) << t;
  }
  EXPECT_EQ(key_of(b, 0, 99), key_of(old_a, 0, 3));
  EXPECT_EQ(value_of(b, 1, 0), value_of(old_a, 1, 70));
  EXPECT_EQ(value_of(b, 1, 1), value_of(old_b, 1, 1));
}

// Moved keys are those of the same vectors stored at the new positions, but for rounding.
TEST(KvMoveTest, TurnsKeysToTheirNewPositions) {
  const Shape s{.M = 150, .H = 1, .K = 2, .P = 70, .T = 150, .capacity = 200};
  const int width = 5 * 70;
  const std::vector<float> qkv = numbers(product(150, width), 1);
  const Angles angles(s);
  CpuContext context(best_isa(), 2);
  for (const int by : {1, -1, 37, -60, 50, 0}) {
    for (const bool in_place : {true, false}) {
      const Cache cache(s), other(s);
      const int begin = 62, end = 140;
      store(context, cache, s, qkv.data(), range(0, 150));
      const Cache& to = in_place ? cache : other;
      kv_move(context, {.from = cache.view,
                        .to = to.view,
                        .cos = angles.cos.data(),
                        .sin = angles.sin.data(),
                        .begin = begin,
                        .end = end,
                        .by = by});
      const Cache expected(s);
      store(context, expected, s, qkv.data() + product(begin, width), range(begin + by, end + by));
      for (int t = begin + by; t < end + by; ++t) {
        EXPECT_TRUE(all_near("key", key_of(to, 1, t), key_of(expected, 1, t), 1e-5F)) << by;
        EXPECT_EQ(value_of(to, 1, t), value_of(expected, 1, t)) << by;
      }
    }
  }
}

TEST(AttentionTest, SurvivesScoresFarApart) {
  const Shape s{.M = 20, .H = 1, .K = 1, .P = 16, .T = 20, .capacity = 20};
  const std::vector<float> qkv = numbers(product(s.T, 48), 10);
  for (const Isa isa : isas()) {
    CpuContext context(isa, 1);
    const Cache cache(s);
    const std::vector<float> q = store(context, cache, s, qkv.data(), range(0, s.T));
    EXPECT_TRUE(all_near(describe("attention", isa, s), run(context, cache, q.data(), s, 1000.0F),
                         expected(q, qkv, s, 1000.0F), 1e-3F));
  }
}

}  // namespace
}  // namespace lacuna::kernels
