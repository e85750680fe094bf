#include "bench/kernels/forward.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "kernels/cpu/packed_matrix.h"
#include "kernels/kernels.h"

namespace lacuna::bench {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace): everything here is about them

struct Shape {
  int layers;
  int D;
  int F;
  int H;
  int K;
  int P;
  int V;
};
constexpr Shape kQwen05B = {
    .layers = 24, .D = 896, .F = 4864, .H = 14, .K = 2, .P = 64, .V = 151936};

std::size_t size(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

class Weights {
 public:
  Weights(CpuContext& context, WeightFormat format) : context_(context), format_(format) {
    // One block of noise serves all matrices: only their sizes matter for the time.
    std::minstd_rand random(3);
    noise_.resize(size(kQwen05B.V, kQwen05B.D));
    for (std::uint16_t& bits : noise_) {
      const auto value = static_cast<float>(random() % 65536) / 32768.0F - 1.0F;
      bits = f32_to_bf16(value * 0.05F);
    }
  }
  PackedMatrix matrix(int n, int k) const {
    return PackedMatrix::pack(context_, {.data = noise_.data(), .type = DType::BF16, .rows = n}, k,
                              format_);
  }
  const std::uint16_t* noise() const { return noise_.data(); }

 private:
  CpuContext& context_;
  WeightFormat format_;
  std::vector<std::uint16_t> noise_;
};

struct Layer {
  PackedMatrix qkv;
  PackedMatrix out;
  PackedMatrix gate_up;
  PackedMatrix down;
  AlignedBuffer keys;
  AlignedBuffer values;
};

class Forward {
 public:
  Forward(CpuContext& context, WeightFormat format, Precision precision, int T)
      : context_(context), precision_(precision), T_(T), weights_(context, format) {
    const Shape& s = kQwen05B;
    for (int i = 0; i < s.layers; ++i)
      layers_.push_back({.qkv = weights_.matrix((s.H + 2 * s.K) * s.P, s.D),
                         .out = weights_.matrix(s.D, s.H * s.P),
                         .gate_up = weights_.matrix(2 * s.F, s.D),
                         .down = weights_.matrix(s.D, s.F),
                         .keys = AlignedBuffer(kv_floats(T, s.K, s.P) * sizeof(float)),
                         .values = AlignedBuffer(kv_floats(T, s.K, s.P) * sizeof(float))});
    head_ = weights_.matrix(s.V, s.D);
    x_.resize(size(T, s.D));
    normed_.resize(x_.size());
    wide_.resize(size(T, 2 * s.F));
    q_.resize(size(T, s.H * s.P));
    mixed_.resize(size(T, std::max(s.F, s.H * s.P)));
    norm_.assign(static_cast<std::size_t>(s.D), 1.0F);
    logits_.resize(size(T, s.V));
    for (int t = 0; t < T; ++t) {
      ids_.push_back(t * 97 % s.V);
      positions_.push_back(t);
      for (int i = 0; i < s.P / 2; ++i) {
        const double angle = t * std::pow(1e6, -2.0 * i / s.P);
        cos_.push_back(static_cast<float>(std::cos(angle)));
        sin_.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  // The rows [0, T) through all layers; logits of the last `rows`.
  void run(int rows) {
    const Shape& s = kQwen05B;
    embed(context_, {.y = x_.data(),
                     .table = weights_.noise(),
                     .type = DType::BF16,
                     .ids = ids_.data(),
                     .M = T_,
                     .D = s.D});
    for (const Layer& layer : layers_) run_layer(layer);
    const float* x = x_.data() + size(T_ - rows, s.D);
    normalise(x, rows);
    multiply(logits_.data(), normed_.data(), head_, rows, false);
  }

 private:
  void run_layer(const Layer& layer) {
    const Shape& s = kQwen05B;
    const KvCacheView cache{.keys = layer.keys.as<float>(),
                            .values = layer.values.as<float>(),
                            .capacity = T_,
                            .K = s.K,
                            .P = s.P};
    normalise(x_.data(), T_);
    multiply(wide_.data(), normed_.data(), layer.qkv, T_, false);
    rope_store(context_, {.q = q_.data(),
                          .cache = cache,
                          .qkv = wide_.data(),
                          .positions = positions_.data(),
                          .cos = cos_.data(),
                          .sin = sin_.data(),
                          .M = T_,
                          .H = s.H});
    attention(context_, {.y = mixed_.data(),
                         .q = q_.data(),
                         .cache = cache,
                         .M = T_,
                         .H = s.H,
                         .T = T_,
                         .scale = 0.125F});
    multiply(x_.data(), mixed_.data(), layer.out, T_, true);
    normalise(x_.data(), T_);
    multiply(wide_.data(), normed_.data(), layer.gate_up, T_, false);
    swiglu(context_, {.y = mixed_.data(), .gate_up = wide_.data(), .M = T_, .F = s.F});
    multiply(x_.data(), mixed_.data(), layer.down, T_, true);
  }

  void normalise(const float* x, int M) {
    rms_norm(context_, {.y = normed_.data(),
                        .x = x,
                        .weight = norm_.data(),
                        .M = M,
                        .D = kQwen05B.D,
                        .eps = 1e-6F});
  }

  void multiply(float* y, const float* x, const PackedMatrix& w, int M, bool accumulate) {
    matmul(context_, {.y = y,
                      .x = x,
                      .w = &w,
                      .bias = nullptr,
                      .M = M,
                      .x_stride = w.k(),
                      .accumulate = accumulate,
                      .precision = precision_});
  }

  CpuContext& context_;
  Precision precision_;
  int T_;
  Weights weights_;
  std::vector<Layer> layers_;
  PackedMatrix head_;
  std::vector<float> x_, normed_, wide_, q_, mixed_, norm_, logits_, cos_, sin_;
  std::vector<std::int32_t> ids_, positions_;
};

double flops_of(int T, int rows) {
  const Shape& s = kQwen05B;
  const double layer = static_cast<double>(s.D) * ((s.H + 2 * s.K) * s.P + s.H * s.P + 3 * s.F) +
                       2.0 * T * s.H * s.P;
  return 2.0 * (T * layer * s.layers + static_cast<double>(rows) * s.D * s.V);
}

void bench_format(Report& report, CpuContext& context, const std::string& name, WeightFormat format,
                  Precision precision) {
  const int T = 512;
  std::unique_ptr<Forward> forward;  // made when a case wants it: packing takes seconds
  for (const int rows : {1, 64, 512}) {
    const std::string full_name =
        name + " T=" + std::to_string(T) + " logits of " + std::to_string(rows);
    if (!report.wants(full_name)) continue;
    if (!forward) forward = std::make_unique<Forward>(context, format, precision, T);
    report.run(full_name, {.flops = flops_of(T, rows)}, [&] { forward->run(rows); });
  }
}

}  // namespace

void bench_forward(Report& report, CpuContext& context) {
  bench_format(report, context, "forward f32", WeightFormat::F32, Precision::F32);
  bench_format(report, context, "forward bf16 weights", WeightFormat::Bf16, Precision::F32);
  bench_format(report, context, "forward bf16 pairs", WeightFormat::Bf16, Precision::Bf16);
  bench_format(report, context, "forward int8", WeightFormat::Int8, Precision::F32);
}

}  // namespace lacuna::bench
