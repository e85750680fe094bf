// The CUDA operations against those of the CPU, or against their definition. Built twice: for a
// device, where these are skipped without one, and for the emulator of tests/helpers, where they
// always run.
#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include <cuda_runtime_api.h>

#include "kernels/cpu/packed_matrix.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/device_matrix.h"
#include "kernels/kernels.h"
#include "tests/kernels/kernels_testing.h"

namespace lacuna::kernels::cuda {
namespace {

using testing::all_near;
using testing::numbers;
using testing::product;
using testing::same_bits;

#ifdef LACUNA_CUDA_EMULATOR
constexpr bool kOnDevice = false;
#else
constexpr bool kOnDevice = true;
#endif

// The emulator takes microseconds where a device takes none: what is large is for a device.
template <class T>
std::vector<T> sizes(std::initializer_list<T> small, std::initializer_list<T> large) {
  std::vector<T> result(small);
  if (kOnDevice) result.insert(result.end(), large);
  return result;
}

class CudaParityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kOnDevice && probe().device_count == 0) GTEST_SKIP() << probe().problem;
  }
  CpuContext cpu{Isa::Scalar, 1};
};

template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& content) : size_(content.size()) {
    check(cudaMalloc(&data_, std::max<std::size_t>(1, size_) * sizeof(T)));
    check(cudaMemcpy(data_, content.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  // As much memory, full of 0xFF bytes: NaN as floats.
  explicit OnDevice(std::size_t size) : OnDevice(std::vector<T>(size)) {
    check(cudaMemsetAsync(data_, 0xFF, size * sizeof(T), nullptr));
    check(cudaDeviceSynchronize());
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() { cudaFree(data_); }

  T* data() const { return static_cast<T*>(data_); }
  std::vector<T> read() const {
    std::vector<T> content(size_);
    check(cudaDeviceSynchronize());
    check(cudaMemcpy(content.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return content;
  }

 private:
  static void check(cudaError_t error) {
    ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error);
  }
  void* data_ = nullptr;
  std::size_t size_;
};

std::string named(const char* what, std::initializer_list<int> shape) {
  std::string text = what;
  for (const int size : shape) text += " " + std::to_string(size);
  return text;
}

TEST_F(CudaParityTest, RmsNormIsThatOfTheCpu) {
  const int M = 3;
  for (const int D : {1, 31, 32, 33, 255, 256, 257, 3584}) {
    const std::vector<float> x = numbers(product(M, D), 1);
    const std::vector<float> weight = numbers(static_cast<std::size_t>(D), 2);
    std::vector<float> want(x.size());
    const RmsNorm op = {
        .y = want.data(), .x = x.data(), .weight = weight.data(), .M = M, .D = D, .eps = 1e-6F};
    kernels::rms_norm(cpu, op);
    const OnDevice device_x(x);
    const OnDevice device_weight(weight);
    RmsNorm device = op;
    device.x = device_x.data();
    device.y = device_x.data();  // in place
    device.weight = device_weight.data();
    cuda::rms_norm(device, nullptr);
    EXPECT_TRUE(all_near(named("rms_norm", {M, D}), device_x.read(), want, 1e-5F));
  }
}

TEST_F(CudaParityTest, SwiGluIsThatOfTheCpu) {
  for (const int F : {1, 255, 256, 257, 1000}) {
    const int M = 2;
    const std::vector<float> gate_up = numbers(product(M, 2 * F), 1);
    std::vector<float> want(product(M, F));
    kernels::swiglu(cpu, {.y = want.data(), .gate_up = gate_up.data(), .M = M, .F = F});
    const OnDevice in(gate_up);
    const OnDevice<float> out(want.size());
    cuda::swiglu({.y = out.data(), .gate_up = in.data(), .M = M, .F = F}, nullptr);
    EXPECT_TRUE(all_near(named("swiglu", {M, F}), out.read(), want, 1e-5F));
  }
}

TEST_F(CudaParityTest, EmbedReadsEveryFormatOfATable) {
  const int V = 5;
  const int D = 300;
  const std::vector<std::int32_t> ids = {4, 0, 4, 2};
  const int M = static_cast<int>(ids.size());
  const std::vector<float> floats = numbers(product(V, D), 3);
  std::vector<std::uint16_t> halves(floats.size());
  std::transform(floats.begin(), floats.end(), halves.begin(), f32_to_bf16);
  std::vector<std::int8_t> integers(floats.size());
  for (std::size_t i = 0; i < integers.size(); ++i) integers[i] = static_cast<std::int8_t>(i % 255);
  const std::vector<float> scales = numbers(V, 4);
  const OnDevice device_ids(ids);
  const OnDevice device_scales(scales);
  const OnDevice device_floats(floats);
  const OnDevice device_halves(halves);
  const OnDevice device_integers(integers);
  struct Table {
    DType type;
    const void* host;
    const void* device;
  };
  for (const Table& table : {Table{DType::F32, floats.data(), device_floats.data()},
                             Table{DType::BF16, halves.data(), device_halves.data()},
                             Table{DType::F16, halves.data(), device_halves.data()},
                             Table{DType::I8, integers.data(), device_integers.data()}}) {
    std::vector<float> want(product(M, D));
    Embed op = {.y = want.data(),
                .table = table.host,
                .type = table.type,
                .ids = ids.data(),
                .M = M,
                .D = D,
                .scales = scales.data()};
    kernels::embed(cpu, op);
    const OnDevice<float> y(want.size());
    op.y = y.data();
    op.table = table.device;
    op.ids = device_ids.data();
    op.scales = device_scales.data();
    cuda::embed(op, nullptr);
    EXPECT_TRUE(same_bits(named("embed", {static_cast<int>(table.type)}), y.read().data(),
                          want.data(), want.size()));
  }
}

TEST_F(CudaParityTest, GatherRowsCopiesThemInOrder) {
  const std::vector<float> x = numbers(product(4, 300), 1);
  const OnDevice device_x(x);
  const OnDevice rows(std::vector<std::int32_t>{3, 1});
  const OnDevice<float> y(product(2, 300));
  gather_rows({.y = y.data(), .x = device_x.data(), .rows = rows.data(), .M = 2, .D = 300},
              nullptr);
  const std::vector<float> got = y.read();
  EXPECT_TRUE(same_bits("row 0", got.data(), x.data() + 900, 300));
  EXPECT_TRUE(same_bits("row 1", got.data() + 300, x.data() + 300, 300));
}

// A cache of the device and one of the CPU, filled by rope_store with the same rows.
struct Shape {
  int M;
  int H;
  int K;
  int P;
  int T;
};

struct Angles {
  std::vector<float> cos, sin;
  Angles(int positions, int P) {
    for (int t = 0; t < positions; ++t)
      for (int i = 0; i < P / 2; ++i) {
        const double angle = t * std::pow(10000.0, -2.0 * i / P);
        cos.push_back(static_cast<float>(std::cos(angle)));
        sin.push_back(static_cast<float>(std::sin(angle)));
      }
  }
};

struct CpuCache {
  AlignedBuffer keys, values;
  KvCacheView view{};
  CpuCache(int capacity, int K, int P)
      : keys(kv_floats(capacity, K, P) * sizeof(float)),
        values(kv_floats(capacity, K, P) * sizeof(float)),
        view{.keys = keys.as<float>(),
             .values = values.as<float>(),
             .capacity = capacity,
             .K = K,
             .P = P} {}
};

struct DeviceCache {
  OnDevice<std::byte> keys, values;
  KvCache view;
  DeviceCache(KvType type, int capacity, int K, int P)
      : keys(kv_bytes(type, capacity, K, P)),
        values(kv_bytes(type, capacity, K, P)),
        view{.keys = keys.data(),
             .values = values.data(),
             .capacity = capacity,
             .K = K,
             .P = P,
             .type = type} {}
};

std::vector<std::int32_t> range(int first, int last) {
  std::vector<std::int32_t> result(static_cast<std::size_t>(last - first));
  std::iota(result.begin(), result.end(), first);
  return result;
}

// Both sides of a test of attention: rows of qkv stored at positions and places, on the CPU in
// float and on the device in `type`.
struct Sides {
  Shape shape;
  Angles angles;
  OnDevice<float> cos, sin;
  CpuCache cpu_cache;
  DeviceCache device_cache;

  Sides(const Shape& s, int capacity, KvType type)
      : shape(s),
        angles(capacity, s.P),
        cos(angles.cos),
        sin(angles.sin),
        cpu_cache(capacity, s.K, s.P),
        device_cache(type, capacity, s.K, s.P) {}

  // Returns the queries of both, the CPU's first.
  std::pair<std::vector<float>, std::vector<float>> store(
      CpuContext& cpu, const std::vector<float>& qkv, const std::vector<std::int32_t>& positions,
      const std::optional<std::vector<std::int32_t>>& places = {}) const {
    const int M = static_cast<int>(positions.size());
    std::vector<float> q(product(M, shape.H * shape.P));
    kernels::rope_store(cpu, {.q = q.data(),
                              .cache = cpu_cache.view,
                              .qkv = qkv.data(),
                              .positions = positions.data(),
                              .places = places ? places->data() : nullptr,
                              .cos = angles.cos.data(),
                              .sin = angles.sin.data(),
                              .M = M,
                              .H = shape.H});
    const OnDevice device_qkv(qkv);
    const OnDevice device_positions(positions);
    const OnDevice device_places(places.value_or(positions));
    const OnDevice<float> device_q(q.size());
    cuda::rope_store({.q = device_q.data(),
                      .cache = device_cache.view,
                      .qkv = device_qkv.data(),
                      .positions = device_positions.data(),
                      .places = places ? device_places.data() : nullptr,
                      .cos = cos.data(),
                      .sin = sin.data(),
                      .M = M,
                      .H = shape.H},
                     nullptr);
    return {q, device_q.read()};
  }

  // What rows of queries see in the first T positions, the CPU's side first.
  std::pair<std::vector<float>, std::vector<float>> attend(CpuContext& cpu,
                                                           const std::vector<float>& q,
                                                           int T) const {
    const int M = static_cast<int>(q.size()) / (shape.H * shape.P);
    const float scale = 1.0F / std::sqrt(static_cast<float>(shape.P));
    std::vector<float> want(q.size());
    kernels::attention(cpu, {.y = want.data(),
                             .q = q.data(),
                             .cache = cpu_cache.view,
                             .M = M,
                             .H = shape.H,
                             .T = T,
                             .scale = scale});
    const OnDevice device_q(q);
    const OnDevice<float> partials(attention_partials(M, shape.H, shape.P));
    cuda::attention({.y = device_q.data(),
                     .q = device_q.data(),
                     .cache = device_cache.view,
                     .M = M,
                     .H = shape.H,
                     .T = T,
                     .scale = scale,
                     .partials = partials.data()},
                    nullptr);
    return {want, device_q.read()};
  }
};

TEST_F(CudaParityTest, AttentionSeesWhatRopeStoreStored) {
  const auto shapes = sizes<Shape>({{1, 1, 1, 2, 1},
                                    {3, 4, 2, 32, 65},
                                    {2, 3, 1, 64, 130},
                                    {1, 2, 2, 128, 127},
                                    {1, 1, 1, 256, 3}},
                                   {{32, 28, 4, 128, 2048}, {200, 14, 2, 64, 300}});
  for (const Shape& s : shapes) {
    const Sides sides(s, s.T + 3, KvType::F32);
    const std::vector<float> qkv = numbers(product(s.T, (s.H + 2 * s.K) * s.P), 5);
    const auto [cpu_q, device_q] = sides.store(cpu, qkv, range(0, s.T));
    EXPECT_TRUE(all_near(named("rope_store", {s.T, s.P}), device_q, cpu_q, 1e-6F));
    const std::vector<float> q = numbers(product(s.M, s.H * s.P), 6);
    const auto [want, got] = sides.attend(cpu, q, s.T);
    EXPECT_TRUE(all_near(named("attention", {s.M, s.H, s.K, s.P, s.T}), got, want, 1e-5F));
  }
}

TEST_F(CudaParityTest, AttentionOnTensorCoresIsNearThatInFloat) {
  const auto shapes = sizes<Shape>({{1, 1, 1, 32, 1},
                                    {3, 4, 2, 32, 65},
                                    {40, 4, 2, 32, 64},
                                    {5, 7, 1, 64, 130},
                                    {9, 7, 1, 128, 127}},
                                   {{32, 28, 4, 128, 2048}, {700, 14, 2, 64, 700}});
  for (const Shape& s : shapes) {
    const Sides sides(s, s.T + 3, KvType::Bf16);
    const std::vector<float> qkv = numbers(product(s.T, (s.H + 2 * s.K) * s.P), 5);
    sides.store(cpu, qkv, range(0, s.T));
    const std::vector<float> q = numbers(product(s.M, s.H * s.P), 6);
    const auto [want, got] = sides.attend(cpu, q, s.T);
    EXPECT_TRUE(all_near(named("attention bf16", {s.M, s.H, s.K, s.P, s.T}), got, want, 1e-2F));
  }
}

TEST_F(CudaParityTest, AttentionWeightsAreThoseOfTheRowsAskedFor) {
  const auto shapes =
      sizes<Shape>({{1, 1, 1, 2, 1}, {3, 4, 2, 32, 65}, {2, 6, 2, 64, 300}, {1, 2, 1, 256, 257}},
                   {{32, 28, 4, 128, 2048}});
  for (const Shape& s : shapes) {
    for (const KvType type : {KvType::F32, KvType::Bf16}) {
      if (type == KvType::Bf16 && s.P != 32 && s.P != 64 && s.P != 128) continue;
      const Sides sides(s, s.T + 3, type);
      sides.store(cpu, numbers(product(s.T, (s.H + 2 * s.K) * s.P), 5), range(0, s.T));
      const std::vector<float> q = numbers(product(2 * s.M, s.H * s.P), 6);
      std::vector<std::int32_t> rows;
      for (int m = 0; m < s.M; ++m) rows.push_back(2 * m + 1);
      const float scale = 1.0F / std::sqrt(static_cast<float>(s.P));
      std::vector<float> want(product(s.H, s.T));
      kernels::attention_weights(cpu, {.y = want.data(),
                                       .q = q.data(),
                                       .rows = rows.data(),
                                       .cache = sides.cpu_cache.view,
                                       .M = s.M,
                                       .H = s.H,
                                       .T = s.T,
                                       .scale = scale});
      const OnDevice device_q(q);
      const OnDevice device_rows(rows);
      const OnDevice<float> y(want.size());
      cuda::attention_weights({.y = y.data(),
                               .q = device_q.data(),
                               .rows = device_rows.data(),
                               .cache = sides.device_cache.view,
                               .M = s.M,
                               .H = s.H,
                               .T = s.T,
                               .scale = scale},
                              nullptr);
      EXPECT_TRUE(all_near(named("attention_weights", {s.M, s.H, s.K, s.P, s.T}), y.read(), want,
                           type == KvType::F32 ? 1e-5F : 1e-2F));
    }
  }
}

TEST_F(CudaParityTest, LargeScoresNeitherOverflowNorVanish) {
  for (const KvType type : {KvType::F32, KvType::Bf16}) {
    const Shape s = {2, 1, 1, 32, 70};
    const Sides sides(s, s.T, type);
    std::vector<float> qkv = numbers(product(s.T, 3 * s.P), 5);
    for (float& x : qkv) x *= 64;  // scores of thousands
    sides.store(cpu, qkv, range(0, s.T));
    std::vector<float> q = numbers(product(s.M, s.P), 6);
    for (float& x : q) x *= 64;
    const auto [want, got] = sides.attend(cpu, q, s.T);
    for (const float y : got) EXPECT_TRUE(std::isfinite(y));
    if (type == KvType::F32) {
      EXPECT_TRUE(all_near("large scores", got, want, 1e-3F));
    }
  }
}

TEST_F(CudaParityTest, PlacesSayWhereKeysAndValuesGo) {
  const Shape s = {2, 2, 1, 32, 3};
  const Sides sides(s, 80, KvType::F32);
  const std::vector<float> qkv = numbers(product(3, 4 * s.P), 5);
  sides.store(cpu, qkv, {70, 5, 9}, std::vector<std::int32_t>{0, 1, 2});
  const auto [want, got] = sides.attend(cpu, numbers(product(2, 2 * s.P), 6), 3);
  EXPECT_TRUE(all_near("places", got, want, 1e-5F));
}

TEST_F(CudaParityTest, SwappedRowsAreSeenAndComeBack) {
  for (const KvType type : {KvType::F32, KvType::Bf16}) {
    const float tolerance = type == KvType::F32 ? 1e-5F : 1e-2F;
    const Shape s = {2, 2, 1, 32, 70};
    const Sides sides(s, s.T, type);
    const Sides others(s, 8, type);
    sides.store(cpu, numbers(product(s.T, 4 * s.P), 5), range(0, s.T));
    others.store(cpu, numbers(product(3, 4 * s.P), 7), range(0, 3));
    const std::vector<float> q = numbers(product(2, 2 * s.P), 6);
    const std::vector<float> before = sides.attend(cpu, q, s.T).second;
    const std::vector<std::int32_t> a_places = {69, 0, 33};
    const std::vector<std::int32_t> b_places = {0, 1, 2};
    const OnDevice device_a(a_places);
    const OnDevice device_b(b_places);
    const auto swap = [&] {
      kernels::kv_swap(cpu, {.a = sides.cpu_cache.view,
                             .b = others.cpu_cache.view,
                             .a_places = a_places.data(),
                             .b_places = b_places.data(),
                             .M = 3});
      cuda::kv_swap({.a = sides.device_cache.view,
                     .b = others.device_cache.view,
                     .a_places = device_a.data(),
                     .b_places = device_b.data(),
                     .M = 3},
                    nullptr);
    };
    swap();
    const auto [want, got] = sides.attend(cpu, q, s.T);
    EXPECT_TRUE(all_near("swapped", got, want, tolerance));
    swap();
    const std::vector<float> after = sides.attend(cpu, q, s.T).second;
    EXPECT_TRUE(same_bits("back", after.data(), before.data(), after.size()));
  }
}

TEST_F(CudaParityTest, MovedRowsTurnToTheirNewPositions) {
  for (const int by : {-7, -1, 0, 1, 7}) {
    for (const bool within : {false, true}) {
      const Shape s = {2, 2, 1, 32, 40};
      const Sides from(s, 60, KvType::F32);
      const Sides to(s, 60, KvType::F32);
      const DeviceCache spare(KvType::F32, 60, s.K, s.P);
      from.store(cpu, numbers(product(s.T, 4 * s.P), 5), range(0, s.T));
      to.store(cpu, numbers(product(s.T, 4 * s.P), 8), range(0, s.T));
      const Sides& target = within ? from : to;
      kernels::kv_move(cpu, {.from = from.cpu_cache.view,
                             .to = target.cpu_cache.view,
                             .cos = from.angles.cos.data(),
                             .sin = from.angles.sin.data(),
                             .begin = 10,
                             .end = 30,
                             .by = by});
      cuda::kv_move({.from = from.device_cache.view,
                     .to = target.device_cache.view,
                     .cos = from.cos.data(),
                     .sin = from.sin.data(),
                     .begin = 10,
                     .end = 30,
                     .by = by,
                     .spare = spare.view},
                    nullptr);
      const auto [want, got] = target.attend(cpu, numbers(product(2, 2 * s.P), 6), s.T);
      EXPECT_TRUE(all_near(named("kv_move", {by, within ? 1 : 0}), got, want, 1e-5F));
    }
  }
}

// The product on the CPU with the weights as `type` keeps them, in double.
std::vector<float> expected_product(const std::vector<float>& x, int x_stride, int M,
                                    std::span<const MatrixSource> sources, int k, WeightType type,
                                    const std::vector<float>& bias) {
  std::vector<float> result;
  std::vector<float> row(static_cast<std::size_t>(k));
  std::vector<std::int8_t> integers(row.size());
  for (int m = 0; m < M; ++m) {
    int n = 0;
    for (const MatrixSource& source : sources) {
      for (int r = 0; r < source.rows; ++r, ++n) {
        if (type == WeightType::Int8) {
          std::vector<float> scratch(row.size());
          const float scale = read_row_int8(source, r, k, scratch.data(), integers.data());
          for (std::size_t i = 0; i < row.size(); ++i) row[i] = scale * integers[i];
        } else {
          read_row(source, r, k, row.data());
        }
        double sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(n)];
        for (int i = 0; i < k; ++i) {
          const float value = x[product(m, x_stride) + static_cast<std::size_t>(i)];
          const bool rounded = type != WeightType::F32;
          const double left = rounded ? bf16_to_f32(f32_to_bf16(value)) : value;
          const float weight = row[static_cast<std::size_t>(i)];
          sum += left * (type == WeightType::Bf16 ? bf16_to_f32(f32_to_bf16(weight)) : weight);
        }
        result.push_back(static_cast<float>(sum));
      }
    }
  }
  return result;
}

struct ProductShape {
  int M;
  int n;
  int k;
};

DeviceWeights uploaded(std::span<const MatrixSource> sources, int k, WeightType type) {
  static ThreadPool pool(3);
  Staging staging;
  return DeviceWeights::upload(sources, k, type, staging, pool, nullptr);
}

std::vector<float> device_product(const std::vector<float>& x, int x_stride, int M,
                                  const DeviceWeights& weights, const std::vector<float>& bias,
                                  const std::vector<float>& y_before = {}) {
  const DeviceMatrix& w = weights.view();
  const OnDevice device_x(x);
  const OnDevice device_bias(bias);
  const OnDevice<float> y(y_before.empty() ? std::vector<float>(product(M, w.n)) : y_before);
  const OnDevice<std::byte> scratch(matmul_scratch(M, w.k));
  matmul({.y = y.data(),
          .x = device_x.data(),
          .w = w,
          .bias = bias.empty() ? nullptr : device_bias.data(),
          .M = M,
          .x_stride = x_stride,
          .accumulate = !y_before.empty(),
          .scratch = scratch.data()},
         nullptr);
  return y.read();
}

TEST_F(CudaParityTest, ProductsAreThoseOfTheirDefinitionInEveryFormat) {
  const auto shapes = sizes<ProductShape>({{1, 1, 1},
                                           {1, 40, 129},
                                           {7, 33, 64},
                                           {9, 32, 300},
                                           {17, 20, 128},
                                           {33, 31, 40},
                                           {65, 5, 31}},
                                          {{32, 3584, 3584}, {64, 1000, 18944}, {500, 600, 896}});
  for (const WeightType type : {WeightType::F32, WeightType::Bf16, WeightType::Int8}) {
    for (const ProductShape& s : shapes) {
      const std::vector<float> weights = numbers(product(s.n, s.k), 1);
      const MatrixSource source = {.data = weights.data(), .type = DType::F32, .rows = s.n};
      const int x_stride = s.k + 3;
      const std::vector<float> x = numbers(product(s.M, x_stride), 2);
      const std::vector<float> bias = numbers(static_cast<std::size_t>(s.n), 3);
      const auto device = uploaded({&source, 1}, s.k, type);
      const auto want = expected_product(x, x_stride, s.M, {&source, 1}, s.k, type, bias);
      EXPECT_TRUE(all_near(named("matmul", {static_cast<int>(type), s.M, s.n, s.k}),
                           device_product(x, x_stride, s.M, device, bias), want,
                           1e-5F * std::sqrt(static_cast<float>(s.k))));
    }
  }
}

// A matrix in the I4 format of model files.
struct Int4Matrix {
  std::vector<std::uint8_t> codes, steps;
  std::vector<std::int8_t> offsets;
  std::vector<float> scales;
  MatrixSource source{};

  Int4Matrix(int n, int k, int group) {
    const auto groups = static_cast<std::size_t>((k + group - 1) / group);
    const std::vector<float> weights = numbers(product(n, k), 1);
    const std::size_t bytes = row_bytes(DType::I4, k);
    codes.resize(static_cast<std::size_t>(n) * bytes);
    steps.resize(static_cast<std::size_t>(n) * groups);
    offsets.resize(steps.size());
    for (std::size_t row = 0; row < static_cast<std::size_t>(n); ++row)
      scales.push_back(quantise_row_int4(weights.data() + row * static_cast<std::size_t>(k), k,
                                         group,
                                         {.codes = codes.data() + row * bytes,
                                          .steps = steps.data() + row * groups,
                                          .offsets = offsets.data() + row * groups}));
    source = {.data = codes.data(),
              .type = DType::I4,
              .rows = n,
              .parts = {.scales = scales.data(),
                        .steps = steps.data(),
                        .offsets = offsets.data(),
                        .group = group}};
  }
};

TEST_F(CudaParityTest, FourBitsOfAFileAreMultipliedAsTheyAre) {
  for (const int group : {32, 64, 128}) {
    for (const ProductShape& s : {ProductShape{3, 33, 256}, ProductShape{9, 8, 100}}) {
      const Int4Matrix matrix(s.n, s.k, group);
      const std::vector<float> x = numbers(product(s.M, s.k), 2);
      const auto want =
          expected_product(x, s.k, s.M, {&matrix.source, 1}, s.k, WeightType::Int4, {});
      for (const WeightType type : {WeightType::Int4, WeightType::Int8}) {
        const auto device = uploaded({&matrix.source, 1}, s.k, type);
        EXPECT_TRUE(all_near(named("int4", {group, s.M, s.n, s.k}),
                             device_product(x, s.k, s.M, device, {}), want, 1e-4F));
      }
    }
  }
}

TEST_F(CudaParityTest, StackedSourcesAreOneMatrix) {
  const int k = 70;
  const std::vector<float> a = numbers(product(3, k), 1);
  const std::vector<float> b = numbers(product(40, k), 2);
  const MatrixSource sources[] = {{.data = a.data(), .type = DType::F32, .rows = 3},
                                  {.data = b.data(), .type = DType::F32, .rows = 40}};
  const std::vector<float> x = numbers(product(2, k), 3);
  for (const WeightType type : {WeightType::F32, WeightType::Bf16}) {
    const auto device = uploaded(sources, k, type);
    EXPECT_TRUE(all_near("stacked", device_product(x, k, 2, device, {}),
                         expected_product(x, k, 2, sources, k, type, {}), 1e-4F));
  }
}

// More than two pieces of staging memory, so that each is filled again.
TEST_F(CudaParityTest, WeightsOfSeveralPiecesArriveWhole) {
  const int k = 2048;
  const int n = static_cast<int>(3 * Staging::kPieceBytes / (k * sizeof(float))) + 5;
  std::vector<float> weights(product(n, k));
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 9973);
  const MatrixSource source = {.data = weights.data(), .type = DType::F32, .rows = n};
  const auto device = uploaded({&source, 1}, k, WeightType::F32);
  std::vector<float> there(weights.size());
  LACUNA_CUDA_CHECK(cudaMemcpy(there.data(), device.view().data, there.size() * sizeof(float),
                               cudaMemcpyDeviceToHost));
  EXPECT_EQ(there, weights);
}

TEST_F(CudaParityTest, WhatIsSharedWithADeviceMayBeWrittenAgainAtOnce) {
  ThreadPool pool(2);
  const auto device = open_cuda(0, KvType::F32, pool);
  std::vector<std::uint32_t> numbers(3 * Staging::kPieceBytes / sizeof(std::uint32_t) + 7);
  std::iota(numbers.begin(), numbers.end(), 1U);
  const std::vector<std::uint32_t> before = numbers;
  const Memory memory = device->share(numbers.data(), numbers.size() * sizeof(std::uint32_t));
  std::fill(numbers.begin(), numbers.end(), 0U);
  device->download(numbers.data(), memory.as<void>(), memory.bytes());
  EXPECT_EQ(numbers, before);
}

TEST_F(CudaParityTest, ProductsAddToWhatIsThere) {
  const int k = 33;
  const std::vector<float> w = numbers(product(5, k), 1);
  const MatrixSource source = {.data = w.data(), .type = DType::F32, .rows = 5};
  const std::vector<float> x = numbers(product(2, k), 2);
  const std::vector<float> before = numbers(10, 3);
  for (const WeightType type : {WeightType::F32, WeightType::Bf16, WeightType::Int8}) {
    const auto device = uploaded({&source, 1}, k, type);
    std::vector<float> want = expected_product(x, k, 2, {&source, 1}, k, type, {});
    for (std::size_t i = 0; i < want.size(); ++i) want[i] += before[i];
    EXPECT_TRUE(all_near("accumulate", device_product(x, k, 2, device, {}, before), want, 1e-4F));
  }
}

TEST_F(CudaParityTest, ARowOfAProductHasTheSameBitsAloneAndAmongOthers) {
  const int n = 40;
  const int k = 200;
  const std::vector<float> w = numbers(product(n, k), 1);
  const MatrixSource source = {.data = w.data(), .type = DType::F32, .rows = n};
  const std::vector<float> x = numbers(product(70, k), 2);
  for (const WeightType type :
       {WeightType::F32, WeightType::Bf16, WeightType::Int8, WeightType::Int4}) {
    const auto device = uploaded({&source, 1}, k, type);
    const std::vector<float> all = device_product(x, k, 70, device, {});
    for (const int row : {0, 8, 69}) {
      const std::vector<float> alone(x.begin() + row * k, x.begin() + (row + 1) * k);
      EXPECT_TRUE(same_bits(named("row", {static_cast<int>(type), row}),
                            device_product(alone, k, 1, device, {}).data(),
                            all.data() + product(row, n), static_cast<std::size_t>(n)));
    }
  }
}

}  // namespace
}  // namespace lacuna::kernels::cuda
