#include "kernels/cuda/device_matrix.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace lacuna::kernels::cuda {
namespace {

constexpr int kGroup = 32;
constexpr int kTaskRows = 32;  // that one thread makes at a time

// The group size that all sources share and the kernels can take as it is; else kGroup.
int group_of(std::span<const MatrixSource> sources, int k) {
  const int group = sources.empty() ? 0 : sources.front().parts.group;
  for (const MatrixSource& source : sources)
    if (source.type != DType::I4 || source.parts.group != group) return kGroup;
  return group > 0 && group % 32 == 0 && padded_k(k) % group == 0 ? group : kGroup;
}

// Rows in a piece of staging memory, as the device has them.
struct Stage {
  std::byte* data;
  float* scales;
  std::uint8_t* steps;
  std::int8_t* offsets;
};

// As the file has it where the groups are the same, else quantised anew. `scratch`: k floats.
void stage_int4(const Stage& stage, std::size_t at, std::size_t groups, const MatrixSource& source,
                int row, int k, int group, float* scratch) {
  auto* codes =
      reinterpret_cast<std::uint8_t*>(stage.data) + at * weight_row_bytes(WeightType::Int4, k);
  std::uint8_t* steps = stage.steps + at * groups;
  std::int8_t* offsets = stage.offsets + at * groups;
  if (source.type != DType::I4 || source.parts.group != group) {
    read_row(source, row, k, scratch);
    stage.scales[at] =
        quantise_row_int4(scratch, k, group, {.codes = codes, .steps = steps, .offsets = offsets});
    return;
  }
  const std::size_t bytes = row_bytes(DType::I4, k);
  const auto used = static_cast<std::size_t>((k + group - 1) / group);
  const auto r = static_cast<std::size_t>(row);
  const QuantisedParts& parts = source.parts;
  std::memcpy(codes, static_cast<const std::byte*>(source.data) + r * bytes, bytes);
  std::memcpy(steps, static_cast<const std::byte*>(parts.steps) + r * used, used);
  std::memcpy(offsets, static_cast<const std::byte*>(parts.offsets) + r * used, used);
  std::memcpy(&stage.scales[at], static_cast<const std::byte*>(parts.scales) + r * sizeof(float),
              sizeof(float));
}

// Row `row` of the source to row `at` of the stage, which holds zeros there. `scratch`: k floats.
void stage_row(const Stage& stage, std::size_t at, const MatrixSource& source, int row, int k,
               const DeviceMatrix& view, float* scratch) {
  std::byte* to = stage.data + at * weight_row_bytes(view.type, k);
  switch (view.type) {
    case WeightType::F32:
      read_row(source, row, k, reinterpret_cast<float*>(to));
      return;
    case WeightType::Bf16:
      if (source.type == DType::BF16) {
        std::memcpy(
            to, static_cast<const std::byte*>(source.data) + static_cast<std::size_t>(row) * k * 2,
            static_cast<std::size_t>(k) * 2);
        return;
      }
      read_row(source, row, k, scratch);
      std::transform(scratch, scratch + k, reinterpret_cast<std::uint16_t*>(to), f32_to_bf16);
      return;
    case WeightType::Int8:
      stage.scales[at] = read_row_int8(source, row, k, scratch, reinterpret_cast<std::int8_t*>(to));
      return;
    case WeightType::Int4:
      stage_int4(stage, at, static_cast<std::size_t>(padded_k(k) / view.group), source, row, k,
                 view.group, scratch);
  }
}

// A row of the matrix that all sources make, one on top of the other; null in the padding.
struct SourceRow {
  const MatrixSource* source;
  int row;
};

SourceRow source_row(std::span<const MatrixSource> sources, std::size_t at) {
  auto row = static_cast<int>(at);
  for (const MatrixSource& source : sources) {
    if (row < source.rows) return {&source, row};
    row -= source.rows;
  }
  return {nullptr, 0};
}

void copy_to_device(void* to, const void* from, std::size_t bytes, CUstream_st* stream) {
  if (bytes == 0) return;
  LACUNA_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
}

}  // namespace

DeviceWeights DeviceWeights::upload(std::span<const MatrixSource> sources, int k, WeightType type,
                                    Staging& staging, ThreadPool& pool, CUstream_st* stream) {
  DeviceWeights result;
  DeviceMatrix& view = result.view_;
  view.type = type;
  view.k = k;
  for (const MatrixSource& source : sources) view.n += source.rows;
  const bool int4 = type == WeightType::Int4;
  view.group = int4 ? group_of(sources, k) : 0;
  const auto rows = static_cast<std::size_t>(padded_n(view.n));
  const std::size_t row_size = weight_row_bytes(type, k);
  const bool scaled = int4 || type == WeightType::Int8;
  const std::size_t groups = int4 ? static_cast<std::size_t>(padded_k(k) / view.group) : 0;
  result.data_ = DeviceBuffer(rows * row_size);
  result.scales_ = DeviceBuffer(scaled ? rows * sizeof(float) : 0);
  result.steps_ = DeviceBuffer(rows * groups);
  result.offsets_ = DeviceBuffer(rows * groups);

  const std::size_t scale_size = scaled ? sizeof(float) : 0;
  const std::size_t bytes_of_row = row_size + scale_size + 2 * groups;
  const std::size_t stage_rows =
      std::clamp<std::size_t>(Staging::kPieceBytes / bytes_of_row, 1, rows);
  std::vector<std::vector<float>> scratch(static_cast<std::size_t>(pool.threads()),
                                          std::vector<float>(static_cast<std::size_t>(k)));
  for (std::size_t first = 0; first < rows; first += stage_rows) {
    const std::size_t count = std::min(stage_rows, rows - first);
    std::byte* memory = staging.begin(count * bytes_of_row);
    std::byte* scales = memory + count * row_size;
    std::byte* steps = scales + count * scale_size;
    std::byte* offsets = steps + count * groups;
    const Stage stage = {.data = memory,
                         .scales = reinterpret_cast<float*>(scales),
                         .steps = reinterpret_cast<std::uint8_t*>(steps),
                         .offsets = reinterpret_cast<std::int8_t*>(offsets)};
    std::memset(scales, 0, count * (scale_size + 2 * groups));
    const int n_tasks = static_cast<int>((count + kTaskRows - 1) / kTaskRows);
    pool.run(n_tasks, [&](int task, int thread) {
      const std::size_t begin = static_cast<std::size_t>(task) * kTaskRows;
      for (std::size_t at = begin; at < std::min(begin + kTaskRows, count); ++at) {
        std::memset(stage.data + at * row_size, 0, row_size);
        const auto [source, row] = source_row(sources, first + at);
        if (source == nullptr) continue;
        stage_row(stage, at, *source, row, k, view,
                  scratch[static_cast<std::size_t>(thread)].data());
      }
    });
    copy_to_device(result.data_.as<std::byte>() + first * row_size, stage.data, count * row_size,
                   stream);
    copy_to_device(result.scales_.as<std::byte>() + first * scale_size, scales, count * scale_size,
                   stream);
    copy_to_device(result.steps_.as<std::byte>() + first * groups, steps, count * groups, stream);
    copy_to_device(result.offsets_.as<std::byte>() + first * groups, offsets, count * groups,
                   stream);
    staging.end(stream);
  }
  view.data = result.data_.as<void>();
  view.scales = result.scales_.as<float>();
  view.steps = result.steps_.as<std::uint8_t>();
  view.offsets = result.offsets_.as<std::int8_t>();
  return result;
}

}  // namespace lacuna::kernels::cuda
