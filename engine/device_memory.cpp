#include "engine/device_memory.h"

#include <algorithm>
#include <cstdio>

#include "engine/forward_pass.h"
#include "kernels/cuda/cuda_kernels.h"

namespace lacuna::engine {
namespace {

using kernels::WeightFormat;
using kernels::cuda::WeightType;

constexpr std::uint64_t kCanvas = 2048;
constexpr std::uint64_t kFloat = sizeof(float);
constexpr int kGroup = 32;

// How matrices are kept; tables are at least 8 bits.
enum class Kept : std::uint8_t { F32, Bf16, Int8, Int4 };

Kept kept_as(WeightFormat format) {
  if (format == WeightFormat::F32) return Kept::F32;
  return format == WeightFormat::Bf16 ? Kept::Bf16 : Kept::Int8;
}

WeightType type_of(const TensorView& tensor, Kept kept, bool is_table) {
  switch (kept) {
    case Kept::F32:
      return WeightType::F32;
    case Kept::Bf16:
      return WeightType::Bf16;
    case Kept::Int8:
      return tensor.type == kernels::DType::I4 ? WeightType::Int4 : WeightType::Int8;
    case Kept::Int4:
      return is_table ? WeightType::Int8 : WeightType::Int4;
  }
  return WeightType::F32;
}

std::uint64_t matrix_bytes(const TensorView& tensor, Kept kept, bool is_table = false) {
  const WeightType type = type_of(tensor, kept, is_table);
  const auto rows =
      static_cast<std::uint64_t>(kernels::cuda::padded_n(static_cast<int>(tensor.shape[0])));
  const int k = static_cast<int>(tensor.shape[1]);
  std::uint64_t row = kernels::cuda::weight_row_bytes(type, k);
  if (type == WeightType::Int8 || type == WeightType::Int4) row += kFloat;
  if (type == WeightType::Int4)
    row += 2 * static_cast<std::uint64_t>(kernels::cuda::padded_k(k) / kGroup);
  return rows * row;
}

std::uint64_t weight_bytes(const ModelTensors& tensors, Kept kept) {
  const std::uint64_t numbers = static_cast<std::uint64_t>(tensors.embedding.shape[0]) *
                                static_cast<std::uint64_t>(tensors.embedding.shape[1]);
  const bool integers = kept == Kept::Int4 || !kernels::is_float(tensors.embedding.type);
  std::uint64_t bytes = numbers * (integers ? 1 : kernels::size_of(tensors.embedding.type));
  bytes += matrix_bytes(tensors.lm_head, kept, true);
  for (const LayerTensors& layer : tensors.layers) {
    for (const TensorView* matrix :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down})
      bytes += matrix_bytes(*matrix, kept);
  }
  return bytes;
}

// Keys, values, the rows of a pass over one canvas, and what its products work in.
std::uint64_t canvas_bytes(const ModelConfig& config, Kept kept) {
  const auto size = [](int a) { return static_cast<std::uint64_t>(a); };
  const std::uint64_t heads = size(config.heads) * size(config.head_size);
  const std::uint64_t kv = size(config.kv_heads) * size(config.head_size);
  const std::uint64_t number = kept == Kept::F32 ? kFloat : kFloat / 2;
  const std::uint64_t cache = 2 * size(config.layers) * kCanvas * kv * number;
  const std::uint64_t rows = kCanvas * (2 * size(config.hidden_size) + heads) * kFloat;
  const std::uint64_t chunk =
      512 * (size(config.hidden_size) + heads + 2 * kv + 3 * size(config.intermediate_size)) *
      kFloat;
  const std::uint64_t logits = size(logit_rows(static_cast<int>(kCanvas), config.vocab_size)) *
                               size(config.vocab_size) * kFloat;
  const std::uint64_t products = kept == Kept::Bf16 ? kernels::cuda::kCublasLtWorkspace : 0;
  return cache + rows + chunk + logits + products;
}

std::uint64_t total_bytes(const ModelConfig& config, const ModelTensors& tensors, Kept kept) {
  return weight_bytes(tensors, kept) + canvas_bytes(config, kept);
}

std::string gigabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

const char* name_of(Kept kept) {
  switch (kept) {
    case Kept::F32:
      return "f32";
    case Kept::Bf16:
      return "bf16";
    case Kept::Int8:
      return "int8";
    case Kept::Int4:
      return "4 bits";
  }
  return "";
}

// The first of the smaller formats that fits, and how to get it.
std::string way_out(const ModelConfig& config, const ModelTensors& tensors, Kept kept,
                    std::uint64_t room) {
  for (const Kept smaller : {Kept::Bf16, Kept::Int8, Kept::Int4}) {
    if (smaller <= kept) continue;
    const std::uint64_t bytes = total_bytes(config, tensors, smaller);
    if (bytes > room) continue;
    if (smaller != Kept::Int4)
      return "--dtype " + std::string(name_of(smaller)) + " needs " + gigabytes(bytes);
    return "4 bits need " + gigabytes(bytes) + " (lacuna model quantise --bits 4)";
  }
  return "use a smaller model or --device cpu";
}

}  // namespace

std::uint64_t device_bytes(const ModelConfig& config, const ModelTensors& tensors,
                           kernels::WeightFormat format) {
  return total_bytes(config, tensors, kept_as(format));
}

Result<void> check_fits(const ModelConfig& config, const ModelTensors& tensors,
                        kernels::WeightFormat format, const DeviceRoom& room) {
  const Kept kept = kept_as(format);
  const std::uint64_t bytes = total_bytes(config, tensors, kept);
  if (bytes <= room.bytes) return {};
  return fail(ErrorCode::Unavailable,
              "the model needs " + gigabytes(bytes) + " of " + room.name + " in " + name_of(kept) +
                  ", and " + (room.is_budget ? "--vram allows " : "free are ") +
                  gigabytes(room.bytes) + "; " + way_out(config, tensors, kept, room.bytes));
}

Result<std::unique_ptr<kernels::Backend>> open_gpu(const ModelConfig& config,
                                                   const ModelTensors& tensors,
                                                   kernels::WeightFormat format, const Device& gpu,
                                                   std::uint64_t vram, kernels::ThreadPool& pool) {
  try {
    DeviceRoom room = {.name = gpu.name(),
                       .bytes = kernels::cuda::memory_of_cuda(gpu.index).free_bytes};
    if (vram > 0 && vram < room.bytes) {
      room.bytes = vram;
      room.is_budget = true;
    }
    if (const Result<void> fits = check_fits(config, tensors, format, room); !fits)
      return fits.error();
    const bool exact = format == WeightFormat::F32;
    return kernels::cuda::open_cuda(
        gpu.index, exact ? kernels::cuda::KvType::F32 : kernels::cuda::KvType::Bf16, pool);
  } catch (const kernels::DeviceError& error) {
    return device_failure(error);
  }
}

Error device_failure(const kernels::DeviceError& error) {
  if (error.out_of_memory) {
    return fail(ErrorCode::Unavailable,
                "the GPU has no memory left for this canvas; make the context smaller or use "
                "--device cpu");
  }
  return fail(ErrorCode::Unavailable, std::string("the GPU failed: ") + error.what());
}

}  // namespace lacuna::engine
