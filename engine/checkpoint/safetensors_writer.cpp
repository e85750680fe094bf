#include "engine/checkpoint/safetensors_writer.h"

#include <cassert>
#include <utility>

#include <nlohmann/json.hpp>

namespace lacuna::engine {
namespace {

// Eight bytes of little-endian length and the JSON, padded so that the data starts at a multiple
// of eight.
std::string header_of(const std::vector<TensorToStore>& tensors) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  std::uint64_t at = 0;
  for (const TensorToStore& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.type_name},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, at + tensor.bytes}}};
    at += tensor.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) {
    bytes += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i) & 0xFF);
  }
  return bytes + text;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(OutputFile file, std::vector<TensorToStore> tensors)
    : file_(std::move(file)), tensors_(std::move(tensors)) {}

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& path,
                                                    std::vector<TensorToStore> tensors) {
  Result<OutputFile> file = OutputFile::create(path);
  if (!file) return file.error();
  const std::string header = header_of(tensors);
  const auto written = file->write_at(0, std::as_bytes(std::span(header)));
  if (!written) return written.error();
  SafetensorsWriter writer(std::move(*file), std::move(tensors));
  std::uint64_t at = header.size();
  for (const TensorToStore& tensor : writer.tensors_) {
    writer.next_.push_back(at);
    at += tensor.bytes;
  }
  return writer;
}

Result<void> SafetensorsWriter::append(std::size_t i, std::span<const std::byte> bytes) {
  assert(bytes.size() <= tensors_[i].bytes);
  tensors_[i].bytes -= bytes.size();
  const std::uint64_t at = std::exchange(next_[i], next_[i] + bytes.size());
  return file_.write_at(at, bytes);
}

Result<void> SafetensorsWriter::finish() {
  for ([[maybe_unused]] const TensorToStore& tensor : tensors_) assert(tensor.bytes == 0);
  return file_.sync();
}

}  // namespace lacuna::engine
