// What Lacuna uses of cuBLASLt 12 and 13. Declared here because a program finds the library when it
// runs, and is built without it; where the toolkit is, cublaslt_api_check.cpp compares.
#pragma once

#include <cstddef>
#include <cstdint>

struct CUstream_st;

namespace lacuna::kernels::cuda::lt {

struct Context;
struct Operation;
struct Layout;
struct Preference;

using Status = int;
inline constexpr Status kSuccess = 0;
inline constexpr Status kInvalidValue = 7;
inline constexpr Status kArchMismatch = 8;
inline constexpr Status kNotSupported = 15;

inline constexpr int kFloat = 0;        // CUDA_R_32F
inline constexpr int kBf16 = 14;        // CUDA_R_16BF
inline constexpr int kSumInFloat = 68;  // CUBLAS_COMPUTE_32F

// Attributes of an operation, all of 4 bytes but the pointer.
inline constexpr int kTransposeA = 3;
inline constexpr int kTransposeB = 4;
inline constexpr int kEpilogue = 7;
inline constexpr int kBiasPointer = 8;
inline constexpr std::int32_t kPlain = 0;  // of kTransposeA and kTransposeB
inline constexpr std::int32_t kTransposed = 1;
inline constexpr std::uint32_t kNothing = 1;  // of kEpilogue
inline constexpr std::uint32_t kAddBias = 4;

// Attributes of a layout, of 8 bytes. A matrix is column-major.
inline constexpr int kColumns = 3;

// Attributes of a preference: of 8 bytes, and of 4.
inline constexpr int kMostWorkspace = 1;
inline constexpr int kAlignmentC = 7;
inline constexpr int kAlignmentD = 8;

struct Algorithm {
  std::uint64_t data[8];
};

struct Heuristic {
  Algorithm algorithm;
  std::size_t workspace;
  Status status;
  float waves;
  int reserved[4];
};

// LACUNA_CUBLASLT(function, name in the library, parameters): all of it, as one list.
#define LACUNA_CUBLASLT(USE)                                                                       \
  USE(create, cublasLtCreate, (lt::Context**))                                                     \
  USE(destroy, cublasLtDestroy, (lt::Context*))                                                    \
  USE(layout_create, cublasLtMatrixLayoutCreate,                                                   \
      (lt::Layout**, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t stride))    \
  USE(layout_destroy, cublasLtMatrixLayoutDestroy, (lt::Layout*))                                  \
  USE(layout_set, cublasLtMatrixLayoutSetAttribute,                                                \
      (lt::Layout*, int attribute, const void* value, std::size_t bytes))                          \
  USE(operation_create, cublasLtMatmulDescCreate, (lt::Operation**, int compute, int scale_type))  \
  USE(operation_destroy, cublasLtMatmulDescDestroy, (lt::Operation*))                              \
  USE(operation_set, cublasLtMatmulDescSetAttribute,                                               \
      (lt::Operation*, int attribute, const void* value, std::size_t bytes))                       \
  USE(preference_create, cublasLtMatmulPreferenceCreate, (lt::Preference**))                       \
  USE(preference_destroy, cublasLtMatmulPreferenceDestroy, (lt::Preference*))                      \
  USE(preference_set, cublasLtMatmulPreferenceSetAttribute,                                        \
      (lt::Preference*, int attribute, const void* value, std::size_t bytes))                      \
  USE(ask_heuristic, cublasLtMatmulAlgoGetHeuristic,                                               \
      (lt::Context*, lt::Operation*, lt::Layout * a, lt::Layout * b, lt::Layout * c,               \
       lt::Layout * d, lt::Preference*, int wanted, lt::Heuristic* results, int* found))           \
  USE(check_algorithm, cublasLtMatmulAlgoCheck,                                                    \
      (lt::Context*, lt::Operation*, lt::Layout * a, lt::Layout * b, lt::Layout * c,               \
       lt::Layout * d, const lt::Algorithm*, lt::Heuristic* result))                               \
  USE(matmul, cublasLtMatmul,                                                                      \
      (lt::Context*, lt::Operation*, const void* alpha, const void* a, lt::Layout* a_layout,       \
       const void* b, lt::Layout* b_layout, const void* beta, const void* c, lt::Layout* c_layout, \
       void* d, lt::Layout* d_layout, const lt::Algorithm*, void* workspace,                       \
       std::size_t workspace_bytes, CUstream_st*))

}  // namespace lacuna::kernels::cuda::lt
