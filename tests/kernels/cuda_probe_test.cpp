#include <gtest/gtest.h>

#include "kernels/cuda/cuda_kernels.h"

namespace lacuna::kernels::cuda {
namespace {

TEST(CudaProbeTest, NamesADeviceOrSaysWhyThereIsNone) {
  const CudaProbe result = probe();
  EXPECT_EQ(result.device_count > 0, result.problem.empty()) << result.problem;
  EXPECT_EQ(result.device_count > 0, !result.name.empty()) << result.name;
  EXPECT_EQ(result.device_count > 0, result.memory_bytes > 0);
}

}  // namespace
}  // namespace lacuna::kernels::cuda
