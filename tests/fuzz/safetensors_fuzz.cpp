// The safetensors reader: whatever the bytes are, it must not crash, and every view it hands out
// must lie inside them. Then the same bytes as the weights of a model.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
#include "kernels/cpu/quantised_rows.h"
#include "kernels/dtype.h"

namespace {

// Reads the view at both ends and in steps, so that the sanitizer sees a wrong bound.
void touch(std::span<const std::byte> data) {
  constexpr std::size_t kStep = 61;
  [[maybe_unused]] volatile unsigned sink = 0;
  for (std::size_t i = 0; i < data.size(); i += kStep) sink = std::to_integer<unsigned>(data[i]);
  if (!data.empty()) sink = std::to_integer<unsigned>(data.back());
}

void require(bool condition) {
  if (!condition) std::abort();
}

// The configuration of the corpus files `model`, `model8` and `model4`, the smallest there can be,
// without its end.
constexpr std::string_view kConfig = R"({"model_type": "Dream", "vocab_size": 2, "hidden_size": 2,
  "intermediate_size": 1, "num_hidden_layers": 1, "num_attention_heads": 1, "rope_theta": 10000,
  "rms_norm_eps": 1e-6, "max_position_embeddings": 8, "tie_word_embeddings": true)";
constexpr std::string_view kEnds[] = {"}", R"(, "lacuna_quantization": {"bits": 8}})",
                                      R"(, "lacuna_quantization": {"bits": 4, "group": 8}})"};

// Reads every row, the numbers beside the integers too.
void read_rows(const lacuna::engine::TensorView& view) {
  const int rows = static_cast<int>(view.shape.at(0));
  const int k = static_cast<int>(view.shape.at(1));
  require(view.data.size() == rows * lacuna::kernels::row_bytes(view.type, k));
  std::vector<float> row(static_cast<std::size_t>(k));
  for (int r = 0; r < rows; ++r) {
    lacuna::kernels::read_row(
        {.data = view.data.data(), .type = view.type, .rows = rows, .parts = view.parts}, r, k,
        row.data());
  }
}

void open_as_model(std::span<const std::byte> bytes, std::string_view end) {
  const std::string config = std::string(kConfig).append(end);
  const auto checkpoint = lacuna::engine::Checkpoint::parse(config, bytes);
  if (!checkpoint) {
    require(!checkpoint.error().message.empty() && checkpoint.error().message.size() < 1000);
    return;
  }
  const auto& layer = checkpoint->tensors().layers.at(0);
  require(layer.down.shape == std::vector<std::int64_t>{2, 1});
  for (const auto* view : {&layer.q, &layer.down, &checkpoint->tensors().lm_head}) read_rows(*view);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto file = lacuna::engine::SafetensorsFile::parse(bytes);
  if (!file) {
    require(!file.error().message.empty() && file.error().message.size() < 1000);
    return 0;
  }
  std::size_t total = 0;
  for (const auto& entry : file->entries()) {
    touch(entry.data);
    total += entry.data.size();
    require(file->find(entry.name) == &entry);
    const auto view = file->tensor(entry.name);
    require(view.has_value() == entry.type.has_value());
    if (!view) continue;
    std::size_t product = lacuna::kernels::size_of(view->type);
    for (const std::int64_t extent : view->shape) product *= static_cast<std::size_t>(extent);
    require(product == view->data.size());
  }
  require(total <= size);
  for (const std::string_view end : kEnds) open_as_model(bytes, end);
  return 0;
}
