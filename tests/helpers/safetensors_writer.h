// Safetensors files for tests, right ones and wrong ones. The product reads and never writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/dtype.h"

namespace lacuna::test {

struct TensorToWrite {
  std::string name;
  std::string type_name;  // the format's word, "BF16"
  std::vector<std::int64_t> shape;
  std::string data;  // bytes; the writer does not compare their number with the shape
};

// `values` rounded to `type`, a float one, to nearest even. As many values as the shape has elements.
TensorToWrite make_tensor(std::string name, kernels::DType type, std::vector<std::int64_t> shape,
                          std::span<const float> values);

// The bytes of a file with the tensors' data in the given order, the header padded with spaces
// to a multiple of eight as the published writer does.
std::string safetensors_bytes(const std::vector<TensorToWrite>& tensors,
                              const std::map<std::string, std::string>& metadata = {});

// A file with any text as header and any bytes as data.
std::string safetensors_file(std::string_view header, std::string_view data);

// The bytes of a string, as SafetensorsFile::parse() takes them.
std::span<const std::byte> bytes_of(std::string_view text);

// Nearest even; overflow gives an infinity.
std::uint16_t f32_to_f16(float value);

}  // namespace lacuna::test
