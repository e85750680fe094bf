// Products of a CUDA backend, which are made by our kernels or by cuBLASLt. Built twice: for a
// device with NVIDIA's library, and for the emulator with one that checks what it is asked for
// (tests/helpers/cuda_emulator/fake_cublaslt.cpp).
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cuda_kernels.h"
#include "tests/kernels/kernels_testing.h"
#ifdef LACUNA_CUDA_EMULATOR
#include "tests/helpers/cuda_emulator/emulator.h"
#include "tests/helpers/cuda_emulator/fake_cublaslt.h"
#endif

namespace lacuna::kernels::cuda {
namespace {

using testing::all_near;
using testing::numbers;
using testing::product;
using testing::same_bits;

#ifdef LACUNA_CUDA_EMULATOR
constexpr const char* kLibrary = LACUNA_FAKE_CUBLASLT;
#else
constexpr const char* kLibrary = nullptr;
#endif

struct Shape {
  int M;
  int n;
  int k;
};

// A product on the device and its definition, with numbers that bf16 holds.
class Products {
 public:
  Products(Backend& device, int n, int k, WeightFormat format = WeightFormat::Bf16)
      : device_(device), n_(n), k_(k), w_(rounded(product(n, k), 1)) {
    const MatrixSource source = {.data = w_.data(), .type = DType::F32, .rows = n};
    weights_ = device.weights({&source, 1}, k, format);
    bias_ = rounded(static_cast<std::size_t>(n), 3);
  }

  std::vector<float> on_device(int M, bool with_bias, bool accumulate, unsigned seed = 2) {
    const std::vector<float> x = rows(M, seed);
    const std::vector<float> before = rounded(product(M, n_), 4);
    const Memory device_x = sent(x);
    const Memory device_y = sent(before);
    const Memory device_bias = sent(bias_);
    device_.product({.y = device_y.as<float>(),
                     .x = device_x.as<float>(),
                     .w = weights_.get(),
                     .bias = with_bias ? device_bias.as<float>() : nullptr,
                     .M = M,
                     .x_stride = stride(),
                     .accumulate = accumulate});
    std::vector<float> y(before.size());
    device_.download(y.data(), device_y.as<float>(), device_y.bytes());
    return y;
  }

  std::vector<float> expected(int M, bool with_bias, bool accumulate) const {
    const std::vector<float> x = rows(M, 2);
    std::vector<float> y = rounded(product(M, n_), 4);
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < n_; ++n) {
        double sum = with_bias ? bias_[static_cast<std::size_t>(n)] : 0;
        for (int i = 0; i < k_; ++i)
          sum += static_cast<double>(x[product(m, stride()) + static_cast<std::size_t>(i)]) *
                 w_[product(n, k_) + static_cast<std::size_t>(i)];
        float& at = y[product(m, n_) + static_cast<std::size_t>(n)];
        at = static_cast<float>(accumulate ? at + sum : sum);
      }
    return y;
  }

 private:
  int stride() const { return k_ + 3; }
  std::vector<float> rows(int M, unsigned seed) const {
    return rounded(product(M, stride()), seed);
  }
  static std::vector<float> rounded(std::size_t count, unsigned seed) {
    std::vector<float> result = numbers(count, seed);
    for (float& x : result) x = bf16_to_f32(f32_to_bf16(x));
    return result;
  }
  Memory sent(const std::vector<float>& values) {
    Memory memory = device_.allocate(values.size() * sizeof(float));
    device_.upload(memory.as<float>(), values.data(), memory.bytes());
    return memory;
  }

  Backend& device_;
  int n_;
  int k_;
  std::vector<float> w_;
  std::vector<float> bias_;
  std::unique_ptr<Weights> weights_;
};

class CudaProductsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // The emulator always has a device; only the build for real ones may meet none.
    if (probe().device_count == 0) GTEST_SKIP() << probe().problem;
  }
  std::unique_ptr<Backend> open(const char* library = kLibrary) {
    return open_cuda(0, KvType::Bf16, pool, library);
  }
  ThreadPool pool{1};
};

TEST_F(CudaProductsTest, ProductsOfManyRowsAreThoseOfTheirDefinition) {
  const auto device = open();
  for (const Shape& s :
       {Shape{65, 5, 31}, Shape{128, 33, 128}, Shape{129, 8, 300}, Shape{513, 3, 40}}) {
    Products products(*device, s.n, s.k);
    for (const bool with_bias : {false, true})
      for (const bool accumulate : {false, true})
        EXPECT_TRUE(all_near("M " + std::to_string(s.M),
                             products.on_device(s.M, with_bias, accumulate),
                             products.expected(s.M, with_bias, accumulate), 1e-4F))
            << with_bias << accumulate;
  }
}

TEST_F(CudaProductsTest, WithoutTheLibraryOurKernelsMultiply) {
  const auto device = open("/there/is/no/such/library.so");
  Products products(*device, 9, 70);
  EXPECT_TRUE(all_near("own", products.on_device(100, true, true),
                       products.expected(100, true, true), 1e-4F));
}

TEST_F(CudaProductsTest, ARowHasTheSameBitsAmongOthersOfItsBucket) {
  const auto device = open();
  Products products(*device, 16, 256);
  EXPECT_EQ(CublasLt::row_bucket(65), CublasLt::row_bucket(128));
  EXPECT_NE(CublasLt::row_bucket(128), CublasLt::row_bucket(129));
  const std::vector<float> many = products.on_device(128, true, false);
  const std::vector<float> fewer = products.on_device(65, true, false);
  EXPECT_TRUE(same_bits("rows", fewer.data(), many.data(), fewer.size()));
}

#ifdef LACUNA_CUDA_EMULATOR
TEST_F(CudaProductsTest, TheLibraryMultipliesManyRowsOfBf16AndNothingElse) {
  const cuda_emulator::FakeCublasLt& fake = cuda_emulator::fake_cublaslt();
  const auto device = open();
  Products bf16(*device, 4, 40);
  int before = fake.products;
  bf16.on_device(kOwnRows, false, false);
  EXPECT_EQ(fake.products, before);
  bf16.on_device(kOwnRows + 1, false, false);
  EXPECT_EQ(fake.products, before + 1);
  for (const WeightFormat format : {WeightFormat::F32, WeightFormat::Int8}) {
    before = fake.products;
    Products(*device, 4, 40, format).on_device(100, true, false);
    EXPECT_EQ(fake.products, before);
  }
}

TEST_F(CudaProductsTest, HeuristicsAreAskedForOnceForAShape) {
  const cuda_emulator::FakeCublasLt& fake = cuda_emulator::fake_cublaslt();
  const auto device = open();
  int before = fake.heuristics;
  Products products(*device, 4, 40);
  Products alike(*device, 4, 40);
  EXPECT_EQ(fake.heuristics, before + 2) << "when the first are loaded: without a bias, and with";
  before = fake.heuristics;
  for (const int M : {65, 128, 70, 128}) {
    products.on_device(M, true, false);
    alike.on_device(M, false, true);
  }
  EXPECT_EQ(fake.heuristics, before) << "up to 128 rows";
  products.on_device(129, false, false);
  alike.on_device(192, false, false);
  EXPECT_EQ(fake.heuristics, before + 1);
}

// As while a stream is captured: what is known goes on, for the rest our kernels do; later it is
// asked for again.
TEST_F(CudaProductsTest, WhereTheLibraryCannotBeAskedWhatIsPreparedGoesOn) {
  cuda_emulator::FakeCublasLt& fake = cuda_emulator::fake_cublaslt();
  const auto device = open();
  Products products(*device, 4, 40);
  products.on_device(100, true, false);
  fake.asks_fail = true;
  int before = fake.products;
  products.on_device(128, true, false);
  EXPECT_EQ(fake.products, before + 1);
  EXPECT_TRUE(all_near("not asked", products.on_device(129, true, false),
                       products.expected(129, true, false), 1e-4F));
  EXPECT_EQ(fake.products, before + 1);
  fake.asks_fail = false;
  before = fake.products;
  products.on_device(129, true, false);
  EXPECT_EQ(fake.products, before + 1);
}

TEST_F(CudaProductsTest, ProductsTakeNoMemoryOfTheDevice) {
  const auto device = open();
  Products products(*device, 4, 40);
  products.on_device(100, true, false);
  const std::size_t before = cuda_emulator::used_bytes();
  products.on_device(100, true, true);
  products.on_device(128, false, true);
  EXPECT_EQ(cuda_emulator::used_bytes(), before);
}

TEST_F(CudaProductsTest, WhatTheLibraryHasNoAlgorithmForOurKernelsMultiply) {
  cuda_emulator::FakeCublasLt& fake = cuda_emulator::fake_cublaslt();
  const auto device = open();
  const int before = fake.products;
  fake.refused_n = 7;
  Products products(*device, 7, 40);
  EXPECT_TRUE(all_near("refused", products.on_device(80, true, false),
                       products.expected(80, true, false), 1e-4F));
  fake.refused_n = 0;
  EXPECT_EQ(fake.products, before);
}

TEST_F(CudaProductsTest, ExactModelsTakeNoMemoryForTheLibrary) {
  const auto device = open();
  const std::size_t before = cuda_emulator::used_bytes();
  const Products exact(*device, 4, 40, WeightFormat::F32);
  EXPECT_LT(cuda_emulator::used_bytes() - before, std::size_t{1} << 20);
  const Products rounded(*device, 4, 40, WeightFormat::Bf16);
  EXPECT_GT(cuda_emulator::used_bytes() - before, std::size_t{1} << 20);
}
#endif

}  // namespace
}  // namespace lacuna::kernels::cuda
