// The CUDA operations against the CPU's. Skipped on a machine without a device.
#include <cuda_runtime_api.h>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/kernels.h"
#include "tests/kernels/kernels_testing.h"

namespace lacuna::kernels {
namespace {

using testing::all_near;
using testing::numbers;
using testing::product;

// Floats that both sides can read.
class Managed {
 public:
  explicit Managed(const std::vector<float>& content) {
    EXPECT_EQ(cudaMallocManaged(reinterpret_cast<void**>(&data_), content.size() * sizeof(float)),
              cudaSuccess);
    std::copy(content.begin(), content.end(), data_);
  }
  Managed(const Managed&) = delete;
  Managed& operator=(const Managed&) = delete;
  ~Managed() { cudaFree(data_); }
  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
};

TEST(CudaTest, RmsNormMatchesTheCpu) {
  if (cuda::probe().device_count == 0) GTEST_SKIP() << cuda::probe().problem;
  const int M = 3;
  for (const int D : {1, 31, 32, 33, 255, 256, 257, 3584}) {
    const std::vector<float> x = numbers(product(M, D), 1);
    const std::vector<float> weight = numbers(static_cast<std::size_t>(D), 2);
    std::vector<float> want(x.size());
    CpuContext context(best_isa(), 1);
    rms_norm(
        context,
        {.y = want.data(), .x = x.data(), .weight = weight.data(), .M = M, .D = D, .eps = 1e-6F});
    const Managed device_x(x);
    const Managed device_weight(weight);
    const Managed y(std::vector<float>(x.size()));
    cuda::rms_norm({.y = y.data(),
                    .x = device_x.data(),
                    .weight = device_weight.data(),
                    .M = M,
                    .D = D,
                    .eps = 1e-6F},
                   nullptr);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_TRUE(all_near("rms_norm cuda D=" + std::to_string(D), {y.data(), y.data() + x.size()},
                         want, 1e-5F));
  }
}

}  // namespace
}  // namespace lacuna::kernels
