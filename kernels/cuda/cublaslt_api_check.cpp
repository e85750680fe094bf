// Whether cublaslt_api.h says what the toolkit's header does. Nothing of it is linked.
#include <cstddef>
#include <type_traits>

#include <cublasLt.h>

#include "kernels/cuda/cublaslt_api.h"

namespace lacuna::kernels::cuda {

static_assert(lt::kSuccess == CUBLAS_STATUS_SUCCESS);
static_assert(lt::kInvalidValue == CUBLAS_STATUS_INVALID_VALUE);
static_assert(lt::kArchMismatch == CUBLAS_STATUS_ARCH_MISMATCH);
static_assert(lt::kNotSupported == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(lt::kFloat == CUDA_R_32F && lt::kBf16 == CUDA_R_16BF);
static_assert(lt::kSumInFloat == CUBLAS_COMPUTE_32F);
static_assert(lt::kTransposeA == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(lt::kTransposeB == CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(lt::kEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE);
static_assert(lt::kBiasPointer == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(lt::kPlain == CUBLAS_OP_N && lt::kTransposed == CUBLAS_OP_T);
static_assert(lt::kNothing == CUBLASLT_EPILOGUE_DEFAULT && lt::kAddBias == CUBLASLT_EPILOGUE_BIAS);
static_assert(lt::kColumns == CUBLASLT_MATRIX_LAYOUT_COLS);
static_assert(lt::kMostWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(lt::kAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(lt::kAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(sizeof(lt::Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(lt::Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(lt::Heuristic, workspace) ==
              offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(lt::Heuristic, status) == offsetof(cublasLtMatmulHeuristicResult_t, state));

// Functions take as many arguments, of the same sizes and kinds: an enumeration is an int, a pointer
// to something opaque a pointer.
template <class Ours, class Theirs>
constexpr bool passed_alike =
    sizeof(Ours) == sizeof(Theirs) && std::is_pointer_v<Ours> == std::is_pointer_v<Theirs> &&
    !std::is_floating_point_v<Theirs>;
template <class... Ours>
struct Arguments {};
template <class Ours, class Theirs>
constexpr bool passed_alike_all = false;
template <class... Ours, class... Theirs>
constexpr bool passed_alike_all<Arguments<Ours...>, Arguments<Theirs...>> = [] {
  if constexpr (sizeof...(Ours) != sizeof...(Theirs))
    return false;
  else
    return (passed_alike<Ours, Theirs> && ...);
}();

template <class Function>
struct Signature;
template <class Result_, class... Taken>
struct Signature<Result_(Taken...)> {
  using Result = Result_;
  using Parameters = Arguments<Taken...>;
};
template <class Ours, class Theirs>
constexpr bool called_alike =
    sizeof(typename Signature<Ours>::Result) == sizeof(typename Signature<Theirs>::Result) &&
    passed_alike_all<typename Signature<Ours>::Parameters, typename Signature<Theirs>::Parameters>;

#define LACUNA_CHECK_SIGNATURE(function, name, parameters) \
  static_assert(called_alike<lt::Status parameters, decltype(name)>, #name);
LACUNA_CUBLASLT(LACUNA_CHECK_SIGNATURE)
#undef LACUNA_CHECK_SIGNATURE

}  // namespace lacuna::kernels::cuda
