// Speed of the CUDA kernels for the shapes of a 7B Dream model, next to what the same run finds as
// the speed of copies. Needs a device.
//   cuda_bench [--json] [--seconds S] [--context T]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <cuda_runtime_api.h>

#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/device_buffer.h"

namespace lacuna::bench {
namespace {

using kernels::cuda::AttentionOp;
using kernels::cuda::CublasLt;
using kernels::cuda::DeviceBuffer;
using kernels::cuda::DeviceMatrix;
using kernels::cuda::KvType;
using kernels::cuda::MatmulOp;
using kernels::cuda::WeightType;

struct Options {
  bool json = false;
  double seconds = 0.2;
  int context = 2048;
};

// Kernels are timed in runs of this many: a start and a stop cost as much as a small kernel.
constexpr int kCalls = 16;

class Report {
 public:
  explicit Report(const Options& options) : options_(options) {
    LACUNA_CUDA_CHECK(cudaEventCreate(&start_));
    LACUNA_CUDA_CHECK(cudaEventCreate(&stop_));
    if (!options_.json) std::printf("%-56s %10s %10s %10s\n", "kernel", "us", "GB/s", "TFLOP/s");
  }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  ~Report() {
    cudaEventDestroy(start_);
    cudaEventDestroy(stop_);
  }

  // body(i) is call i of a run. Prints the median run.
  void run(const std::string& name, double bytes, double flops,
           const std::function<void(int)>& body) {
    std::vector<double> times;
    double spent = 0;
    for (int round = 0; round < 4 || spent < options_.seconds; ++round) {
      LACUNA_CUDA_CHECK(cudaEventRecord(start_, nullptr));
      for (int i = 0; i < kCalls; ++i) body(i);
      LACUNA_CUDA_CHECK(cudaEventRecord(stop_, nullptr));
      LACUNA_CUDA_CHECK(cudaEventSynchronize(stop_));
      float ms = 0;
      LACUNA_CUDA_CHECK(cudaEventElapsedTime(&ms, start_, stop_));
      spent += ms * 1e-3;
      if (round > 0) times.push_back(ms * 1e-3 / kCalls);  // the first warms up
    }
    std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2),
                     times.end());
    const double seconds = times[times.size() / 2];
    if (options_.json) {
      std::printf("{\"kernel\":\"%s\",\"us\":%.3f,\"gb_per_s\":%.1f,\"tflop_per_s\":%.2f}\n",
                  name.c_str(), seconds * 1e6, bytes / seconds * 1e-9, flops / seconds * 1e-12);
    } else {
      std::printf("%-56s %10.2f %10.1f %10.2f\n", name.c_str(), seconds * 1e6,
                  bytes / seconds * 1e-9, flops / seconds * 1e-12);
    }
  }

 private:
  Options options_;
  cudaEvent_t start_ = nullptr;
  cudaEvent_t stop_ = nullptr;
};

DeviceBuffer zeros(std::size_t bytes) {
  DeviceBuffer buffer(bytes);
  LACUNA_CUDA_CHECK(cudaMemsetAsync(buffer.as<void>(), 0, bytes, nullptr));
  return buffer;
}

void bench_copy(Report& report) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  const DeviceBuffer from = zeros(kBytes);
  const DeviceBuffer to = zeros(kBytes);
  report.run("copy of 1 GiB (reads and writes)", 2.0 * kBytes, 0, [&](int) {
    LACUNA_CUDA_CHECK(
        cudaMemcpyAsync(to.as<void>(), from.as<void>(), kBytes, cudaMemcpyDeviceToDevice, nullptr));
  });
}

const char* name_of(WeightType type) {
  switch (type) {
    case WeightType::F32:
      return "f32";
    case WeightType::Bf16:
      return "bf16";
    case WeightType::Int8:
      return "int8";
    case WeightType::Int4:
      return "int4";
  }
  return "";
}

// Copies of the matrix, more than an L2 cache holds, are used in turn: a step reads each matrix once.
// Products with bf16 are made by our kernel and, where it is, by `library`: which one is the faster
// from how many rows on is what kOwnRows should say.
void bench_matmul(Report& report, CublasLt* library, const char* what, int n, int k,
                  WeightType type) {
  constexpr std::size_t kBeyondL2 = std::size_t{256} << 20;
  constexpr int kGroup = 32;
  const std::size_t rows = static_cast<std::size_t>(kernels::cuda::padded_n(n));
  const std::size_t bytes = rows * kernels::cuda::weight_row_bytes(type, k);
  const std::size_t copies = std::min<std::size_t>(kCalls, kBeyondL2 / bytes + 1);
  const std::size_t groups = rows * static_cast<std::size_t>(kernels::cuda::padded_k(k) / kGroup);
  const DeviceBuffer weights = zeros(bytes * copies);
  const DeviceBuffer scales = zeros(rows * sizeof(float));
  const DeviceBuffer steps = zeros(groups);
  const DeviceBuffer offsets = zeros(groups);
  for (const int M : {8, 16, 32, 64, 128, 512}) {
    const DeviceBuffer x = zeros(static_cast<std::size_t>(M) * k * sizeof(float));
    const DeviceBuffer y = zeros(static_cast<std::size_t>(M) * n * sizeof(float));
    const DeviceBuffer scratch = zeros(kernels::cuda::matmul_scratch(M, k));
    const auto product = [&](int call) {
      return MatmulOp{
          .y = y.as<float>(),
          .x = x.as<float>(),
          .w = {.data = weights.as<std::byte>() + static_cast<std::size_t>(call) % copies * bytes,
                .scales = scales.as<float>(),
                .steps = steps.as<std::uint8_t>(),
                .offsets = offsets.as<std::int8_t>(),
                .group = kGroup,
                .n = n,
                .k = k,
                .type = type},
          .bias = nullptr,
          .M = M,
          .x_stride = k,
          .accumulate = false,
          .scratch = scratch.as<void>()};
    };
    const std::string name = std::string(what) + " " + name_of(type) + " M=" + std::to_string(M) +
                             " n=" + std::to_string(n) + " k=" + std::to_string(k);
    const auto run = [&](const std::string& label, const std::function<void(int)>& body) {
      report.run(label, static_cast<double>(bytes), 2.0 * M * n * k, body);
    };
    run(name, [&](int call) { kernels::cuda::matmul(product(call), nullptr); });
    if (type != WeightType::Bf16 || library == nullptr) continue;
    if (!library->multiply(product(0), nullptr)) {
      std::fprintf(stderr, "cuda_bench: cuBLASLt has no algorithm for %s\n", name.c_str());
      continue;
    }
    run(name + ", cuBLASLt", [&](int call) { library->multiply(product(call), nullptr); });
  }
}

void bench_attention(Report& report, int T) {
  constexpr int kHeads = 28;
  constexpr int kKvHeads = 4;
  constexpr int kHeadSize = 128;
  const DeviceBuffer keys = zeros(kernels::cuda::kv_bytes(KvType::Bf16, T, kKvHeads, kHeadSize));
  const DeviceBuffer values = zeros(keys.bytes());
  for (const int M : {8, 32, 128, T}) {
    const std::size_t numbers = static_cast<std::size_t>(M) * kHeads * kHeadSize;
    const DeviceBuffer q = zeros(numbers * sizeof(float));
    const DeviceBuffer partials =
        zeros(kernels::cuda::attention_partials(M, kHeads, kHeadSize) * sizeof(float));
    report.run("attention M=" + std::to_string(M) + " T=" + std::to_string(T),
               static_cast<double>(keys.bytes() + values.bytes()), 4.0 * M * T * kHeads * kHeadSize,
               [&](int) {
                 kernels::cuda::attention({.y = q.as<float>(),
                                           .q = q.as<float>(),
                                           .cache = {.keys = keys.as<void>(),
                                                     .values = values.as<void>(),
                                                     .capacity = T,
                                                     .K = kKvHeads,
                                                     .P = kHeadSize,
                                                     .type = KvType::Bf16},
                                           .M = M,
                                           .H = kHeads,
                                           .T = T,
                                           .scale = 0.1F,
                                           .partials = partials.as<float>()},
                                          nullptr);
               });
  }
}

void bench_draw(Report& report) {
  constexpr int kVocabulary = 152064;
  for (const int M : {8, 32}) {
    const std::size_t bytes = static_cast<std::size_t>(M) * kVocabulary * sizeof(float);
    const DeviceBuffer logits = zeros(bytes);
    const DeviceBuffer results =
        zeros(static_cast<std::size_t>(M) * sizeof(kernels::cuda::RowResult));
    report.run(
        "draw_rows, entropy, M=" + std::to_string(M), static_cast<double>(bytes), 0, [&](int) {
          kernels::cuda::draw_rows({.results = results.as<kernels::cuda::RowResult>(),
                                    .logits = logits.as<float>(),
                                    .allowed = nullptr,
                                    .banned = nullptr,
                                    .banned_begin = nullptr,
                                    .uniforms = nullptr,
                                    .M = M,
                                    .V = kVocabulary,
                                    .forbidden = -1,
                                    .temperature = 0,
                                    .confidence = kernels::cuda::RowConfidence::NegativeEntropy},
                                   nullptr);
        });
  }
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--json") == 0) {
      options.json = true;
    } else if (std::strcmp(argv[i], "--seconds") == 0 && more) {
      options.seconds = std::atof(argv[++i]);
    } else if (std::strcmp(argv[i], "--context") == 0 && more) {
      options.context = std::max(1, std::atoi(argv[++i]));
    } else {
      std::fprintf(stderr, "usage: cuda_bench [--json] [--seconds S] [--context T]\n");
      std::exit(2);
    }
  }
  return options;
}

void run_all(const Options& options) {
  Report report(options);
  bench_copy(report);
  const std::unique_ptr<CublasLt> library = CublasLt::open(nullptr);
  if (library == nullptr)
    std::fprintf(stderr, "cuda_bench: no cuBLASLt was found: its products are not measured\n");
  struct Matrix {
    const char* what;
    int n;
    int k;
  };
  for (const WeightType type : {WeightType::Bf16, WeightType::Int8, WeightType::Int4})
    for (const Matrix& matrix :
         {Matrix{"qkv", 4608, 3584}, Matrix{"o", 3584, 3584}, Matrix{"gate_up", 37888, 3584},
          Matrix{"down", 3584, 18944}, Matrix{"head", 152064, 3584}})
      bench_matmul(report, library.get(), matrix.what, matrix.n, matrix.k, type);
  bench_attention(report, options.context);
  bench_draw(report);
}

}  // namespace
}  // namespace lacuna::bench

int main(int argc, char** argv) {
  const lacuna::bench::Options options = lacuna::bench::parse(argc, argv);
  const lacuna::kernels::cuda::CudaProbe probe = lacuna::kernels::cuda::probe();
  if (probe.device_count == 0) {
    std::fprintf(stderr, "cuda_bench: %s\n", probe.problem.c_str());
    return 1;
  }
  if (!options.json) std::printf("device: %s\n", probe.name.c_str());
  try {
    lacuna::bench::run_all(options);
  } catch (const lacuna::kernels::cuda::CudaError& error) {
    std::fprintf(stderr, "cuda_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
