// Matrix products of many rows by NVIDIA's cuBLASLt, a library that may be on a machine or not.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "kernels/cuda/cublaslt_api.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/device_buffer.h"

namespace lacuna::kernels::cuda {

// Up to so many rows matmul() reads the weights once, which is all that such a product costs; of
// more rows each further 64 read them again, where a library of large tiles does not. To be tuned by
// the rows that cuda_bench has for both.
inline constexpr int kOwnRows = 64;

// For one device, that which is current when it is opened, and one stream.
class CublasLt {
 public:
  // Null where there is no such library, or it refuses the device. `path`: the library's file; null:
  // one of the usual names. Throws CudaError when there is no memory for its workspace.
  static std::unique_ptr<CublasLt> open(const char* path);
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;
  ~CublasLt();

  // Asks for what products of up to 128 rows with these weights need, and makes one: the largest
  // that a recorded step has. While a stream is captured cuBLASLt cannot be asked (13.3 fails), and
  // multiply() leaves what is new to our kernels.
  void prepare(const DeviceMatrix& weights, CUstream_st* stream);

  // Queues the product and returns true; or returns false, with nothing queued, where the library has
  // no algorithm for it. For Bf16 weights. What a shape needs is asked for once and kept: later calls
  // allocate nothing, and no call waits for the device.
  //
  // The bits of a row may depend on how many rows there are, but not within one of row_bucket().
  bool multiply(const MatmulOp& op, CUstream_st* stream);

  // Products of up to this many rows use the algorithm that is best for so many.
  static int row_bucket(int M);

 private:
  struct Api {
#define LACUNA_DECLARE(function, name, parameters) lt::Status(*function) parameters;
    LACUNA_CUBLASLT(LACUNA_DECLARE)
#undef LACUNA_DECLARE
  };
  // How products of one shape are made: y^T = weights x^T, because a row-major matrix is the
  // transpose of a column-major one.
  struct Plan {
    lt::Operation* operation = nullptr;
    lt::Layout* weights = nullptr;
    lt::Layout* x = nullptr;
    lt::Layout* y = nullptr;
    lt::Algorithm algorithm = {};
    int most_rows = 0;  // that it was chosen for
    int M = 0;          // what the layouts say
    lt::Status status = lt::kSuccess;
  };
  using Shape = std::array<int, 4>;  // n, k, row bucket, whether there is a bias

  CublasLt(const Api& api, lt::Context* context);
  Plan* plan_of(const MatmulOp& op);
  lt::Status ask(Plan& plan, const MatmulOp& op);
  bool set_rows(Plan& plan, int M);
  void destroy(const Plan& plan);

  Api api_;
  lt::Context* context_;
  DeviceBuffer workspace_;
  std::map<Shape, Plan> plans_;
};

}  // namespace lacuna::kernels::cuda
