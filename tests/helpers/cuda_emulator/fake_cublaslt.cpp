// cuBLASLt for the emulator: the functions of kernels/cuda/cublaslt_api.h by their names in the
// library. It multiplies what the descriptors say, as the library would, and ends the program with a
// message where that is not what Lacuna means to ask for, or where the library's documentation
// forbids it.
#include "fake_cublaslt.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "kernels/cuda/cublaslt_api.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/dtype.h"

namespace lt = lacuna::kernels::cuda::lt;

namespace lacuna::kernels::cuda::lt {

struct Context {
  int open = 1;
};
struct Operation {
  int compute;
  int scale_type;
  std::int32_t transpose_a = kPlain;
  std::int32_t transpose_b = kPlain;
  std::uint32_t epilogue = kNothing;
  const float* bias = nullptr;
};
struct Layout {
  int type;
  std::uint64_t rows;
  std::uint64_t columns;
  std::int64_t stride;
};
struct Preference {
  std::uint64_t workspace = 0;
  std::uint32_t alignment_c = 256;
  std::uint32_t alignment_d = 256;
};

}  // namespace lacuna::kernels::cuda::lt

extern "C" cuda_emulator::FakeCublasLt fake_cublaslt_state;
cuda_emulator::FakeCublasLt fake_cublaslt_state;

namespace {

// What an algorithm that was given away is for.
struct Chosen {
  std::uint64_t magic;
  std::uint64_t n, k, most_columns, epilogue, workspace, alignment_y, unused;
};
static_assert(sizeof(Chosen) == sizeof(lt::Algorithm));
constexpr lt::Status kInternalError = 14;
constexpr std::uint64_t kMagic = 0x6c616375;
constexpr std::uint64_t kWorkspace = 4096;  // that each product writes over

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fake_cublaslt: %s\n", what);
  std::abort();
}

bool is_aligned(const void* pointer, std::uint64_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

// D[n, M] = A^T[n, k] B[k, M]: the only product that Lacuna asks for.
void check_shapes(const lt::Operation& operation, const lt::Layout& a, const lt::Layout& b,
                  const lt::Layout& c, const lt::Layout& d) {
  demand(operation.compute == lt::kSumInFloat && operation.scale_type == lt::kFloat,
         "sums and factors are not float");
  demand(operation.transpose_a == lt::kTransposed && operation.transpose_b == lt::kPlain,
         "not a transposed matrix of weights times rows");
  demand(a.type == lt::kBf16 && b.type == lt::kBf16, "the factors are not bf16");
  demand(c.type == lt::kFloat && d.type == lt::kFloat, "the result is not float");
  demand(a.rows == b.rows, "the factors differ in k");
  demand(d.rows == a.columns && d.columns == b.columns, "the result has another shape");
  demand(c.rows == d.rows && c.columns == d.columns && c.stride == d.stride, "C is not like D");
  for (const lt::Layout* it : {&a, &b, &d})
    demand(it->stride >= static_cast<std::int64_t>(it->rows), "columns overlap");
  demand(a.stride % 8 == 0 && b.stride % 8 == 0, "columns of the factors are not aligned");
  demand(operation.epilogue == lt::kNothing || operation.epilogue == lt::kAddBias,
         "an unknown epilogue");
  demand((operation.epilogue == lt::kAddBias) == (operation.bias != nullptr),
         "a bias without its epilogue, or the reverse");
}

// Whether the algorithm is one for such a product.
void check_chosen(const lt::Operation& operation, const lt::Layout& a, const lt::Layout& b,
                  const lt::Layout& c, const lt::Layout& d, const lt::Algorithm& algorithm,
                  lt::Heuristic& result) {
  check_shapes(operation, a, b, c, d);
  Chosen chosen;
  std::memcpy(&chosen, &algorithm, sizeof chosen);
  demand(chosen.magic == kMagic, "an algorithm that nobody chose");
  demand(chosen.n == a.columns && chosen.k == a.rows && chosen.epilogue == operation.epilogue &&
             b.columns <= chosen.most_columns,
         "an algorithm that was chosen for another product");
  result.workspace = chosen.workspace;
}

struct Multiply {
  float* d;
  const std::uint16_t* a;
  const std::uint16_t* b;
  const float* bias;
  std::uint64_t* workspace;
  std::int64_t a_stride, b_stride, d_stride;
  std::int64_t k;
  float alpha, beta;
};

// A thread for one number of the result.
void multiply(Multiply op) {
  const std::int64_t n = blockIdx.x;
  const std::int64_t m = blockIdx.y;
  if (n == 0 && m == 0) std::memset(op.workspace, 0xFF, kWorkspace);
  float sum = 0;
  for (std::int64_t i = 0; i < op.k; ++i)
    sum += lacuna::kernels::bf16_to_f32(op.a[n * op.a_stride + i]) *
           lacuna::kernels::bf16_to_f32(op.b[m * op.b_stride + i]);
  sum *= op.alpha;
  if (op.bias != nullptr) sum += op.bias[n];
  float& y = op.d[m * op.d_stride + n];
  y = op.beta == 0 ? sum : sum + op.beta * y;
}

template <class T>
lt::Status set(T& field, const void* value, std::size_t bytes) {
  demand(bytes == sizeof field, "an attribute of another size");
  std::memcpy(&field, value, bytes);
  return lt::kSuccess;
}

}  // namespace

extern "C" {

lt::Status cublasLtCreate(lt::Context** context) {
  *context = new lt::Context;
  return lt::kSuccess;
}
lt::Status cublasLtDestroy(lt::Context* context) {
  delete context;
  return lt::kSuccess;
}
lt::Status cublasLtMatrixLayoutCreate(lt::Layout** layout, int type, std::uint64_t rows,
                                      std::uint64_t columns, std::int64_t stride) {
  *layout = new lt::Layout{.type = type, .rows = rows, .columns = columns, .stride = stride};
  return lt::kSuccess;
}
lt::Status cublasLtMatrixLayoutDestroy(lt::Layout* layout) {
  delete layout;
  return lt::kSuccess;
}
lt::Status cublasLtMatrixLayoutSetAttribute(lt::Layout* layout, int attribute, const void* value,
                                            std::size_t bytes) {
  demand(attribute == lt::kColumns, "an unknown attribute of a layout");
  return set(layout->columns, value, bytes);
}
lt::Status cublasLtMatmulDescCreate(lt::Operation** operation, int compute, int scale_type) {
  *operation = new lt::Operation{.compute = compute, .scale_type = scale_type};
  return lt::kSuccess;
}
lt::Status cublasLtMatmulDescDestroy(lt::Operation* operation) {
  delete operation;
  return lt::kSuccess;
}
lt::Status cublasLtMatmulDescSetAttribute(lt::Operation* operation, int attribute,
                                          const void* value, std::size_t bytes) {
  switch (attribute) {
    case lt::kTransposeA:
      return set(operation->transpose_a, value, bytes);
    case lt::kTransposeB:
      return set(operation->transpose_b, value, bytes);
    case lt::kEpilogue:
      return set(operation->epilogue, value, bytes);
    case lt::kBiasPointer:
      return set(operation->bias, value, bytes);
    default:
      demand(false, "an unknown attribute of an operation");
      return lt::kInvalidValue;
  }
}
lt::Status cublasLtMatmulPreferenceCreate(lt::Preference** preference) {
  *preference = new lt::Preference;
  return lt::kSuccess;
}
lt::Status cublasLtMatmulPreferenceDestroy(lt::Preference* preference) {
  delete preference;
  return lt::kSuccess;
}
lt::Status cublasLtMatmulPreferenceSetAttribute(lt::Preference* preference, int attribute,
                                                const void* value, std::size_t bytes) {
  if (attribute == lt::kMostWorkspace) return set(preference->workspace, value, bytes);
  demand(attribute == lt::kAlignmentC || attribute == lt::kAlignmentD,
         "an unknown attribute of a preference");
  return set(attribute == lt::kAlignmentC ? preference->alignment_c : preference->alignment_d,
             value, bytes);
}
lt::Status cublasLtMatmulAlgoGetHeuristic(lt::Context*, lt::Operation* operation, lt::Layout* a,
                                          lt::Layout* b, lt::Layout* c, lt::Layout* d,
                                          lt::Preference* preference, int wanted,
                                          lt::Heuristic* results, int* found) {
  if (fake_cublaslt_state.asks_fail) return kInternalError;
  ++fake_cublaslt_state.heuristics;
  check_shapes(*operation, *a, *b, *c, *d);
  demand(wanted == 1 && preference->workspace >= kWorkspace, "no room for an algorithm");
  demand(preference->alignment_c == preference->alignment_d, "C and D are one array");
  *found = 0;
  if (static_cast<int>(a->columns) == fake_cublaslt_state.refused_n) return lt::kNotSupported;
  const Chosen chosen = {.magic = kMagic,
                         .n = a->columns,
                         .k = a->rows,
                         .most_columns = b->columns,
                         .epilogue = operation->epilogue,
                         .workspace = kWorkspace,
                         .alignment_y = preference->alignment_d,
                         .unused = 0};
  *results = {};
  std::memcpy(&results->algorithm, &chosen, sizeof chosen);
  results->workspace = kWorkspace;
  *found = 1;
  return lt::kSuccess;
}
lt::Status cublasLtMatmulAlgoCheck(lt::Context*, lt::Operation* operation, lt::Layout* a,
                                   lt::Layout* b, lt::Layout* c, lt::Layout* d,
                                   const lt::Algorithm* algorithm, lt::Heuristic* result) {
  if (fake_cublaslt_state.asks_fail) return kInternalError;
  check_chosen(*operation, *a, *b, *c, *d, *algorithm, *result);
  return lt::kSuccess;
}
lt::Status cublasLtMatmul(lt::Context*, lt::Operation* operation, const void* alpha, const void* a,
                          lt::Layout* a_layout, const void* b, lt::Layout* b_layout,
                          const void* beta, const void* c, lt::Layout* c_layout, void* d,
                          lt::Layout* d_layout, const lt::Algorithm* algorithm, void* workspace,
                          std::size_t workspace_bytes, CUstream_st* stream) {
  lt::Heuristic result = {};
  check_chosen(*operation, *a_layout, *b_layout, *c_layout, *d_layout, *algorithm, result);
  Chosen chosen;
  std::memcpy(&chosen, algorithm, sizeof chosen);
  demand(c == d, "the sum goes elsewhere than what it is added to");
  demand(is_aligned(a, 256) && is_aligned(b, 256), "a factor is not aligned");
  demand(is_aligned(d, chosen.alignment_y) && is_aligned(operation->bias, chosen.alignment_y),
         "the result or the bias is not aligned");
  demand(workspace_bytes >= result.workspace && is_aligned(workspace, 256), "no workspace");
  Multiply op = {.d = static_cast<float*>(d),
                 .a = static_cast<const std::uint16_t*>(a),
                 .b = static_cast<const std::uint16_t*>(b),
                 .bias = operation->bias,
                 .workspace = static_cast<std::uint64_t*>(workspace),
                 .a_stride = a_layout->stride,
                 .b_stride = b_layout->stride,
                 .d_stride = d_layout->stride,
                 .k = static_cast<std::int64_t>(a_layout->rows),
                 .alpha = *static_cast<const float*>(alpha),
                 .beta = *static_cast<const float*>(beta)};
  lacuna::kernels::cuda::launch(multiply,
                                {.grid = dim3(static_cast<unsigned>(d_layout->rows),
                                              static_cast<unsigned>(d_layout->columns)),
                                 .block = 1},
                                stream, op);
  ++fake_cublaslt_state.products;
  return lt::kSuccess;
}

}  // extern "C"
