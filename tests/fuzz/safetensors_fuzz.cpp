// The safetensors reader: whatever the bytes are, it must not crash, and every view it hands out
// must lie inside them. Then the same bytes as the weights of a model.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
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

// The configuration of the corpus file `model`, the smallest there can be.
constexpr std::string_view kConfig = R"({"model_type": "Dream", "vocab_size": 2, "hidden_size": 2,
  "intermediate_size": 1, "num_hidden_layers": 1, "num_attention_heads": 1, "rope_theta": 10000,
  "rms_norm_eps": 1e-6, "max_position_embeddings": 8, "tie_word_embeddings": true})";

void open_as_model(std::span<const std::byte> bytes) {
  const auto checkpoint = lacuna::engine::Checkpoint::parse(kConfig, bytes);
  if (!checkpoint) {
    require(!checkpoint.error().message.empty() && checkpoint.error().message.size() < 1000);
    return;
  }
  const auto& layer = checkpoint->tensors().layers.at(0);
  require(layer.down.data.size() == 2 * lacuna::kernels::size_of(layer.down.type));
  require(layer.q.data.size() == 4 * lacuna::kernels::size_of(layer.q.type));
  touch(checkpoint->tensors().lm_head.data);
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
  open_as_model(bytes);
  return 0;
}
