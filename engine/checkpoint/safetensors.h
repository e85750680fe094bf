// The safetensors format: named tensors in one file, described by a JSON header.
//
// A file is untrusted: it comes from the network. parse() checks everything that the format
// demands before any view is made, so every view lies inside the buffer and no two overlap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/dtype.h"
#include "support/file.h"
#include "support/result.h"

namespace lacuna::engine {

// A tensor of weights, row-major, little-endian, in memory that somebody else owns.
// data.size() == rows * row_bytes(type, columns); an absent optional tensor has empty data.
// The data may start at ANY address: the format pads nothing. Read it with memcpy (as the packing
// of weights does), never through a float pointer.
struct TensorView {
  kernels::DType type = kernels::DType::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
  kernels::QuantisedParts parts = {};  // of I8 and I4; points where somebody else owns, as data
};

// A tensor as the header describes it, also of a type that Lacuna does not compute with.
struct SafetensorsEntry {
  std::string name;
  std::string_view type_name;          // the format's word: "BF16", "I64", ...; a static string
  std::optional<kernels::DType> type;  // set for F32, F16 and BF16
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

class SafetensorsFile {
 public:
  // Maps the file. Reads only the header; a tensor's pages are read when somebody touches them.
  // NotFound if it cannot be opened, Corrupt if it breaks a rule of the format; the message names
  // the path. The file must not shrink while this object lives (see MappedFile).
  static Result<SafetensorsFile> open(const std::filesystem::path& path);

  // As open(), for a file that is in memory already. `bytes` must outlive this object.
  static Result<SafetensorsFile> parse(std::span<const std::byte> bytes);

  // All tensors, sorted by name.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }

  // Null if there is none of that name.
  const SafetensorsEntry* find(std::string_view name) const;

  // NotFound if there is none of that name, InvalidInput if its type is not F32, F16 or BF16.
  Result<TensorView> tensor(std::string_view name) const;

  // The header's `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  SafetensorsFile() = default;

  std::optional<MappedFile> mapping_;  // what the views point into; empty after parse()
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

// The entry's view, or InvalidInput naming the tensor and its type.
Result<TensorView> weights_of(const SafetensorsEntry& entry);

// "[384, 64]", for messages.
std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace lacuna::engine
