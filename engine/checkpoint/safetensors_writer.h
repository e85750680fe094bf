// Writes a safetensors file whose tensors come piece by piece, so that none must be in memory
// whole. Internal to engine/checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/file.h"
#include "support/result.h"

namespace lacuna::engine {

struct TensorToStore {
  std::string name;
  std::string_view type_name;  // the format's word; must live as long as the writer
  std::vector<std::int64_t> shape;
  std::uint64_t bytes;  // what the shape and the type come to
};

class SafetensorsWriter {
 public:
  // Creates the file and writes its header. The tensors' data will follow in their order.
  static Result<SafetensorsWriter> create(const std::filesystem::path& path,
                                          std::vector<TensorToStore> tensors);

  // The next bytes of tensor i. Tensors may be written in any order, and in turns.
  Result<void> append(std::size_t i, std::span<const std::byte> bytes);

  // To be called when every tensor is complete.
  Result<void> finish();

 private:
  SafetensorsWriter(OutputFile file, std::vector<TensorToStore> tensors);

  OutputFile file_;
  std::vector<TensorToStore> tensors_;
  std::vector<std::uint64_t> next_;  // place in the file where each tensor goes on
};

}  // namespace lacuna::engine
