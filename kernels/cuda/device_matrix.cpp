#include "kernels/cuda/device_matrix.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace lacuna::kernels::cuda {
namespace {

constexpr int kGroup = 32;
// Host memory for rows on their way: enough to keep a copy busy while the next rows are made.
constexpr std::size_t kStageBytes = 32U << 20;

// The group size that all sources share and the kernels can take as it is; else kGroup.
int group_of(std::span<const MatrixSource> sources, int k) {
  const int group = sources.empty() ? 0 : sources.front().parts.group;
  for (const MatrixSource& source : sources)
    if (source.type != DType::I4 || source.parts.group != group) return kGroup;
  return group > 0 && group % 32 == 0 && padded_k(k) % group == 0 ? group : kGroup;
}

// Rows as the device has them, with zeros in the padding.
struct Stage {
  std::vector<std::byte> data;
  std::vector<float> scales;
  std::vector<std::uint8_t> steps;
  std::vector<std::int8_t> offsets;
  std::vector<float> scratch;  // [k]
};

void stage_int4(Stage& stage, std::byte* to, int at, int groups, const MatrixSource& source,
                int row, int k, int group) {
  const std::size_t first = static_cast<std::size_t>(at) * groups;
  auto* codes = reinterpret_cast<std::uint8_t*>(to);
  if (source.type != DType::I4 || source.parts.group != group) {
    read_row(source, row, k, stage.scratch.data());
    stage.scales[at] = quantise_row_int4(stage.scratch.data(), k, group,
                                         {.codes = codes,
                                          .steps = stage.steps.data() + first,
                                          .offsets = stage.offsets.data() + first});
  } else {
    const std::size_t bytes = row_bytes(DType::I4, k);
    const auto used = static_cast<std::size_t>((k + group - 1) / group);
    const auto r = static_cast<std::size_t>(row);
    const QuantisedParts& parts = source.parts;
    std::memcpy(codes, static_cast<const std::byte*>(source.data) + r * bytes, bytes);
    std::memcpy(stage.steps.data() + first, static_cast<const std::byte*>(parts.steps) + r * used,
                used);
    std::memcpy(stage.offsets.data() + first,
                static_cast<const std::byte*>(parts.offsets) + r * used, used);
    std::memcpy(&stage.scales[at], static_cast<const std::byte*>(parts.scales) + r * sizeof(float),
                sizeof(float));
  }
}

// Row `row` of the source to row `at` of the stage.
void stage_row(Stage& stage, int at, const MatrixSource& source, int row, int k,
               const DeviceMatrix& view) {
  const std::size_t bytes = weight_row_bytes(view.type, k);
  std::byte* to = stage.data.data() + static_cast<std::size_t>(at) * bytes;
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
      read_row(source, row, k, stage.scratch.data());
      std::transform(stage.scratch.begin(), stage.scratch.end(),
                     reinterpret_cast<std::uint16_t*>(to), f32_to_bf16);
      return;
    case WeightType::Int8:
      stage.scales[at] =
          read_row_int8(source, row, k, stage.scratch.data(), reinterpret_cast<std::int8_t*>(to));
      return;
    case WeightType::Int4:
      stage_int4(stage, to, at, padded_k(k) / view.group, source, row, k, view.group);
  }
}

void copy_to_device(void* to, const void* from, std::size_t bytes, CUstream_st* stream) {
  if (bytes == 0) return;
  LACUNA_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
}

}  // namespace

DeviceWeights DeviceWeights::upload(std::span<const MatrixSource> sources, int k, WeightType type,
                                    CUstream_st* stream) {
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

  const std::size_t stage_rows = std::clamp<std::size_t>(kStageBytes / row_size, 1, rows);
  Stage stage;
  std::size_t source_idx = 0;
  int source_row = 0;
  for (std::size_t first = 0; first < rows; first += stage_rows) {
    const std::size_t count = std::min(stage_rows, rows - first);
    stage.data.assign(count * row_size, std::byte{0});
    stage.scales.assign(count, 0);
    stage.steps.assign(count * groups, 0);
    stage.offsets.assign(count * groups, 0);
    stage.scratch.resize(static_cast<std::size_t>(k));
    for (std::size_t at = 0; at < count && source_idx < sources.size(); ++at) {
      stage_row(stage, static_cast<int>(at), sources[source_idx], source_row, k, view);
      if (++source_row == sources[source_idx].rows) {
        ++source_idx;
        source_row = 0;
      }
    }
    copy_to_device(result.data_.as<std::byte>() + first * row_size, stage.data.data(),
                   count * row_size, stream);
    if (scaled)
      copy_to_device(result.scales_.as<float>() + first, stage.scales.data(), count * sizeof(float),
                     stream);
    copy_to_device(result.steps_.as<std::uint8_t>() + first * groups, stage.steps.data(),
                   count * groups, stream);
    copy_to_device(result.offsets_.as<std::int8_t>() + first * groups, stage.offsets.data(),
                   count * groups, stream);
    LACUNA_CUDA_CHECK(cudaStreamSynchronize(stream));  // the stage is filled again
  }
  view.data = result.data_.as<void>();
  view.scales = result.scales_.as<float>();
  view.steps = result.steps_.as<std::uint8_t>();
  view.offsets = result.offsets_.as<std::int8_t>();
  return result;
}

}  // namespace lacuna::kernels::cuda
