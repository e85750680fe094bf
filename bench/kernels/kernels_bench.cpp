// Speed of every kernel for shapes that models have. See kernels/README.md for numbers.
#include <cstdio>
#include <cstdlib>
#include <random>

#include "bench/kernels/forward.h"
#include "bench/kernels/measure.h"
#include "bench/kernels/onednn.h"
#include "kernels/cpu/isa_kernels.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/kernels.h"

namespace lacuna::bench {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace): everything here is about them

const int kRows[] = {1, 2, 4, 8, 16, 32, 128, 512};

std::vector<float> numbers(std::size_t count) {
  std::mt19937 random(7);
  std::vector<float> result(count);
  for (float& x : result) x = static_cast<float>(random() % 65536) / 32768.0F - 1.0F;
  return result;
}

double product(int a, int b, int c = 1) { return static_cast<double>(a) * b * c; }

std::string shape(int M, int K, int N) {
  return " M=" + std::to_string(M) + " K=" + std::to_string(K) + " N=" + std::to_string(N);
}

// Nothing needs to be made for cases that will not run.
bool wants_matmul(const Report& report, const std::string& mode, int K, int N) {
  for (const int M : kRows)
    if (report.wants(mode + shape(M, K, N))) return true;
  return false;
}

void bench_matmul(Report& report, CpuContext& context, int K, int N) {
  const std::vector<float> weights = numbers(static_cast<std::size_t>(K) * N);
  const MatrixSource source{.data = weights.data(), .type = DType::F32, .rows = N};
  struct Mode {
    const char* name;
    WeightFormat format;
    Precision precision;
  };
  for (const Mode mode : {Mode{"matmul f32", WeightFormat::F32, Precision::F32},
                          Mode{"matmul bf16 weights", WeightFormat::Bf16, Precision::F32},
                          Mode{"matmul bf16 pairs", WeightFormat::Bf16, Precision::Bf16},
                          Mode{"matmul int8", WeightFormat::Int8, Precision::F32}}) {
    if (!wants_matmul(report, mode.name, K, N)) continue;
    const PackedMatrix w = PackedMatrix::pack(context, source, K, mode.format);
    for (const int M : kRows) {
      const std::vector<float> x = numbers(static_cast<std::size_t>(M) * K);
      std::vector<float> y(static_cast<std::size_t>(M) * N);
      report.run(mode.name + shape(M, K, N),
                 {.flops = 2 * product(M, K, N), .bytes = static_cast<double>(w.bytes())}, [&] {
                   matmul(context, {.y = y.data(),
                                    .x = x.data(),
                                    .w = &w,
                                    .bias = nullptr,
                                    .M = M,
                                    .x_stride = K,
                                    .precision = mode.precision});
                 });
    }
  }
}

void bench_pack(Report& report, CpuContext& context, int K, int N) {
  const std::vector<float> weights = numbers(static_cast<std::size_t>(K) * N);
  for (const DType type : {DType::F32, DType::F16, DType::BF16})
    for (const WeightFormat format : {WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8}) {
      const char* from = type == DType::F32 ? "f32" : type == DType::F16 ? "f16" : "bf16";
      const char* to = format == WeightFormat::F32    ? "f32"
                       : format == WeightFormat::Bf16 ? "bf16"
                                                      : "int8";
      report.run(std::string("pack ") + from + " to " + to + shape(0, K, N),
                 {.bytes = product(K, N) * static_cast<double>(size_of(type))}, [&] {
                   PackedMatrix::pack(context, {.data = weights.data(), .type = type, .rows = N}, K,
                                      format);
                 });
    }
}

void bench_attention(Report& report, CpuContext& context, int M, int H, int K, int P, int T) {
  const std::vector<float> cache = numbers(kv_floats(T, K, P));
  std::vector<float> keys = cache;
  std::vector<float> values = cache;
  const std::vector<float> q = numbers(static_cast<std::size_t>(M) * H * P);
  std::vector<float> y(q.size());
  report.run(
      "attention M=" + std::to_string(M) + " H=" + std::to_string(H) + " K=" + std::to_string(K) +
          " P=" + std::to_string(P) + " T=" + std::to_string(T),
      {.flops = 4 * product(M, H, P) * T}, [&] {
        attention(
            context,
            {.y = y.data(),
             .q = q.data(),
             .cache = {.keys = keys.data(), .values = values.data(), .capacity = T, .K = K, .P = P},
             .M = M,
             .H = H,
             .T = T,
             .scale = 0.125F});
      });
}

void bench_attention_weights(Report& report, CpuContext& context, int M, int H, int K, int P,
                             int T) {
  std::vector<float> keys = numbers(kv_floats(T, K, P));
  std::vector<float> values = keys;
  const std::vector<float> q = numbers(static_cast<std::size_t>(M) * H * P);
  const std::vector<std::int32_t> rows(static_cast<std::size_t>(M));
  std::vector<float> y(static_cast<std::size_t>(H) * T);
  report.run(
      "attention weights M=" + std::to_string(M) + " H=" + std::to_string(H) +
          " K=" + std::to_string(K) + " P=" + std::to_string(P) + " T=" + std::to_string(T),
      {.flops = 2 * product(M, H, P) * T}, [&] {
        attention_weights(
            context,
            {.y = y.data(),
             .q = q.data(),
             .rows = rows.data(),
             .cache = {.keys = keys.data(), .values = values.data(), .capacity = T, .K = K, .P = P},
             .M = M,
             .H = H,
             .T = T,
             .scale = 0.125F});
      });
}

void bench_rope_store(Report& report, CpuContext& context, int M, int H, int K, int P) {
  std::vector<float> keys(kv_floats(M, K, P));
  std::vector<float> values(keys.size());
  const std::vector<float> qkv = numbers(static_cast<std::size_t>(M) * (H + 2 * K) * P);
  const std::vector<float> angles = numbers(static_cast<std::size_t>(M) * P / 2);
  std::vector<float> q(static_cast<std::size_t>(M) * H * P);
  std::vector<std::int32_t> positions;
  for (int m = 0; m < M; ++m) positions.push_back(m);
  report.run(
      "rope_store M=" + std::to_string(M) + " H=" + std::to_string(H) + " K=" + std::to_string(K) +
          " P=" + std::to_string(P),
      {.bytes = 8 * static_cast<double>(qkv.size())}, [&] {
        rope_store(
            context,
            {.q = q.data(),
             .cache = {.keys = keys.data(), .values = values.data(), .capacity = M, .K = K, .P = P},
             .qkv = qkv.data(),
             .positions = positions.data(),
             .cos = angles.data(),
             .sin = angles.data(),
             .M = M,
             .H = H});
      });
}

void bench_rows(Report& report, CpuContext& context, int M, int D, int F) {
  const std::vector<float> x = numbers(static_cast<std::size_t>(M) * 2 * F);
  std::vector<float> y(x.size());
  report.run(
      "rms_norm M=" + std::to_string(M) + " D=" + std::to_string(D), {.bytes = 8 * product(M, D)},
      [&] {
        rms_norm(context,
                 {.y = y.data(), .x = x.data(), .weight = x.data(), .M = M, .D = D, .eps = 1e-6F});
      });
  report.run("swiglu M=" + std::to_string(M) + " F=" + std::to_string(F),
             {.bytes = 12 * product(M, F)},
             [&] { swiglu(context, {.y = y.data(), .gate_up = x.data(), .M = M, .F = F}); });
  report.run("exp n=" + std::to_string(F), {.bytes = 8 * product(1, F)},
             [&] { context.kernels().exp(y.data(), x.data(), F); });
}

Isa isa_named(const std::string& name) {
  if (name == "best") return best_isa();
  for (const Isa isa : {Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Avx512Vnni, Isa::Avx512Bf16})
    if (name == name_of(isa) && isa <= best_isa()) return isa;
  std::fprintf(stderr, "this CPU has no instruction set '%s'\n", name.c_str());
  std::exit(2);
}

}  // namespace

int run(int argc, char** argv) {
  Report report(parse_options(argc, argv));
  CpuContext context(isa_named(report.options().isa), report.options().threads);
  bench_matmul(report, context, 2048, 2048);
  bench_onednn(report, 2048, 2048);
  bench_matmul(report, context, 4864, 896);
  bench_onednn(report, 4864, 896);
  bench_matmul(report, context, 896, 151936);  // the head of Qwen2 0.5B: more than any cache
  bench_pack(report, context, 3584, 8192);
  bench_attention(report, context, 512, 14, 2, 64, 512);
  bench_attention(report, context, 32, 14, 2, 64, 512);
  bench_attention(report, context, 512, 28, 4, 128, 2048);
  bench_attention_weights(report, context, 16, 14, 2, 64, 512);
  bench_rope_store(report, context, 512, 14, 2, 64);
  bench_rows(report, context, 512, 896, 4864);
  bench_forward(report, context);
  return 0;
}

}  // namespace lacuna::bench

int main(int argc, char** argv) { return lacuna::bench::run(argc, argv); }
