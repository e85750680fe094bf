#include "kernels/cuda/cublaslt.h"

#include <cstdint>
#include <dlfcn.h>
#include <initializer_list>
#include <string>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/matmul.cuh"

namespace lacuna::kernels::cuda {
namespace {

// Of y and the bias. Weights and rounded rows are aligned to 256 bytes, which is the default.
constexpr std::uint32_t kAlignment = 16;

#ifdef LACUNA_CUDA_EMULATOR
constexpr std::initializer_list<const char*> kNames = {};  // the real one knows no emulated memory
#else
constexpr std::initializer_list<const char*> kNames = {"libcublasLt.so.13", "libcublasLt.so.12",
                                                       "libcublasLt.so"};
#endif

// Never closed: libraries of CUDA leave things behind that call them when the program ends.
void* open_library(const char* path) {
  if (path != nullptr) return dlopen(path, RTLD_NOW | RTLD_LOCAL);
  for (const char* name : kNames)
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  return nullptr;
}

template <class Function>
bool find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

bool is_aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % kAlignment == 0;
}

// The statuses of a call that was not possible for its shape or device.
bool is_refusal(lt::Status status) {
  return status == lt::kNotSupported || status == lt::kInvalidValue || status == lt::kArchMismatch;
}

}  // namespace

std::string cublaslt_version() {
  void* library = open_library(nullptr);
  std::size_t (*version)() = nullptr;
  if (library == nullptr || !find(library, "cublasLtGetVersion", version)) return {};
  const std::size_t number = version();
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

std::unique_ptr<CublasLt> CublasLt::open(const char* path) {
  void* library = open_library(path);
  if (library == nullptr) return nullptr;
  Api api;
  bool complete = true;
#define LACUNA_FIND(function, name, parameters) \
  complete = find(library, #name, api.function) && complete;
  LACUNA_CUBLASLT(LACUNA_FIND)
#undef LACUNA_FIND
  lt::Context* context = nullptr;
  if (!complete || api.create(&context) != lt::kSuccess) return nullptr;
  return std::unique_ptr<CublasLt>(new CublasLt(api, context));
}

CublasLt::CublasLt(const Api& api, lt::Context* context) : api_(api), context_(context) {
  try {
    workspace_ = DeviceBuffer(kCublasLtWorkspace);
  } catch (const CudaError&) {
    api_.destroy(context_);
    throw;
  }
}

void CublasLt::destroy(const Plan& plan) {
  if (plan.operation != nullptr) api_.operation_destroy(plan.operation);
  for (lt::Layout* layout : {plan.weights, plan.x, plan.y})
    if (layout != nullptr) api_.layout_destroy(layout);
}

CublasLt::~CublasLt() {
  for (const auto& [shape, plan] : plans_) destroy(plan);
  api_.destroy(context_);
}

int CublasLt::row_bucket(int M) {
  constexpr int kStep = 64;
  constexpr int kLargeStep = 512;  // what a pass computes at a time: more are rare
  return M <= kLargeStep ? ceil_div(M, kStep) * kStep : ceil_div(M, kLargeStep) * kLargeStep;
}

// Null where the library has no algorithm. Any other failure may pass, so that it is asked again.
CublasLt::Plan* CublasLt::plan_of(const MatmulOp& op) {
  const Shape shape = {op.w.n, op.w.k, row_bucket(op.M), op.bias != nullptr ? 1 : 0};
  const auto [at, is_new] = plans_.try_emplace(shape);
  Plan& plan = at->second;
  if (is_new) plan.status = ask(plan, op);
  if (plan.status == lt::kSuccess) return &plan;
  if (!is_refusal(plan.status)) {
    destroy(plan);
    plans_.erase(at);
  }
  return nullptr;
}

lt::Status CublasLt::ask(Plan& plan, const MatmulOp& op) {
  const auto n = static_cast<std::uint64_t>(op.w.n);
  const auto k = static_cast<std::uint64_t>(padded_k(op.w.k));  // both sides have zeros there
  const auto stride = static_cast<std::int64_t>(k);
  plan.most_rows = plan.M = row_bucket(op.M);
  const auto rows = static_cast<std::uint64_t>(plan.most_rows);
  lt::Status status = api_.operation_create(&plan.operation, lt::kSumInFloat, lt::kFloat);
  const auto set = [&](int attribute, const auto& value) {
    if (status == lt::kSuccess)
      status = api_.operation_set(plan.operation, attribute, &value, sizeof value);
  };
  const auto layout = [&](lt::Layout*& to, int type, std::uint64_t length, std::uint64_t columns,
                          std::int64_t between) {
    if (status == lt::kSuccess) status = api_.layout_create(&to, type, length, columns, between);
  };
  set(lt::kTransposeA, lt::kTransposed);
  set(lt::kTransposeB, lt::kPlain);
  set(lt::kEpilogue, op.bias == nullptr ? lt::kNothing : lt::kAddBias);
  if (op.bias != nullptr) set(lt::kBiasPointer, op.bias);  // its alignment counts
  layout(plan.weights, lt::kBf16, k, n, stride);
  layout(plan.x, lt::kBf16, k, rows, stride);
  layout(plan.y, lt::kFloat, n, rows, op.w.n);
  lt::Preference* preference = nullptr;
  if (status == lt::kSuccess) status = api_.preference_create(&preference);
  if (status != lt::kSuccess) return status;
  const std::uint64_t workspace = kCublasLtWorkspace;
  api_.preference_set(preference, lt::kMostWorkspace, &workspace, sizeof workspace);
  for (const int side : {lt::kAlignmentC, lt::kAlignmentD})
    api_.preference_set(preference, side, &kAlignment, sizeof kAlignment);
  lt::Heuristic best = {};
  int found = 0;
  status = api_.ask_heuristic(context_, plan.operation, plan.weights, plan.x, plan.y, plan.y,
                              preference, 1, &best, &found);
  api_.preference_destroy(preference);
  if (status != lt::kSuccess) return status;
  if (found == 0) return lt::kNotSupported;
  plan.algorithm = best.algorithm;
  return best.status;
}

// Whether the algorithm takes fewer rows than it was chosen for says the library.
bool CublasLt::set_rows(Plan& plan, int M) {
  if (plan.M == M) return true;
  plan.M = 0;
  const auto columns = static_cast<std::uint64_t>(M);
  for (lt::Layout* layout : {plan.x, plan.y})
    if (api_.layout_set(layout, lt::kColumns, &columns, sizeof columns) != lt::kSuccess)
      return false;
  lt::Heuristic result = {};
  if (M != plan.most_rows &&
      (api_.check_algorithm(context_, plan.operation, plan.weights, plan.x, plan.y, plan.y,
                            &plan.algorithm, &result) != lt::kSuccess ||
       result.workspace > kCublasLtWorkspace))
    return false;
  plan.M = M;
  return true;
}

void CublasLt::prepare(const DeviceMatrix& weights, CUstream_st* stream) {
  constexpr int kRows = 2 * kOwnRows;
  if (plans_.contains({weights.n, weights.k, row_bucket(kRows), 0})) return;
  const auto zeros = [stream](int rows, int columns) {
    DeviceBuffer buffer(static_cast<std::size_t>(rows) * columns * sizeof(float));
    LACUNA_CUDA_CHECK(cudaMemsetAsync(buffer.as<void>(), 0, buffer.bytes(), stream));
    return buffer;
  };
  const DeviceBuffer x = zeros(kRows, weights.k);
  const DeviceBuffer y = zeros(kRows, weights.n);
  const DeviceBuffer bias = zeros(1, weights.n);
  const DeviceBuffer scratch(matmul_scratch(kRows, weights.k));
  for (const float* with : {static_cast<const float*>(nullptr), bias.as<const float>()})
    multiply({.y = y.as<float>(),
              .x = x.as<float>(),
              .w = weights,
              .bias = with,
              .M = kRows,
              .x_stride = weights.k,
              .accumulate = false,
              .scratch = scratch.as<void>()},
             stream);
  LACUNA_CUDA_CHECK(cudaStreamSynchronize(stream));
}

bool CublasLt::multiply(const MatmulOp& op, CUstream_st* stream) {
  if (!is_aligned(op.y) || !is_aligned(op.bias)) return false;
  Plan* plan = plan_of(op);
  if (plan == nullptr || !set_rows(*plan, op.M)) return false;
  if (op.bias != nullptr && api_.operation_set(plan->operation, lt::kBiasPointer, &op.bias,
                                               sizeof op.bias) != lt::kSuccess)
    return false;
  round_rows(op, stream);
  const float alpha = 1;
  const float beta = op.accumulate ? 1 : 0;
  const lt::Status status = api_.matmul(
      context_, plan->operation, &alpha, op.w.data, plan->weights, op.scratch, plan->x, &beta, op.y,
      plan->y, op.y, plan->y, &plan->algorithm, workspace_.as<void>(), workspace_.bytes(), stream);
  if (status == lt::kSuccess) return true;
  if (!is_refusal(status))
    throw DeviceError("cublasLtMatmul: status " + std::to_string(status), false);
  plan->status = status;
  return false;
}

}  // namespace lacuna::kernels::cuda
