#include "tests/helpers/safetensors_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

namespace lacuna::test {
namespace {

template <class Number>
void append(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

std::uint16_t f32_to_f16(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (std::isnan(value)) return sign | 0x7E00;
  if (std::isinf(value)) return sign | 0x7C00;
  if (value == 0) return sign;
  int exponent = 0;
  std::frexp(value, &exponent);                                // |value| < 2^exponent
  const int unit_exponent = std::max(exponent - 1, -14) - 10;  // of the last of eleven digits
  const double digits = std::nearbyint(std::ldexp(std::abs(double{value}), -unit_exponent));
  if (std::ldexp(digits, unit_exponent) >= 65536) return sign | 0x7C00;
  // The hidden digit (1024) adds one to the exponent field, and so does a carry out of rounding.
  // Subnormals have neither: their unit is the smallest one.
  const int bits = ((unit_exponent + 24) << 10) + static_cast<int>(digits);
  return static_cast<std::uint16_t>(sign | bits);
}

TensorToWrite make_tensor(std::string name, kernels::DType type, std::vector<std::int64_t> shape,
                          std::span<const float> values) {
  TensorToWrite tensor{std::move(name), {}, std::move(shape), {}};
  for (const float value : values) {
    switch (type) {
      case kernels::DType::F32:
        append(tensor.data, value);
        break;
      case kernels::DType::F16:
        append(tensor.data, f32_to_f16(value));
        break;
      case kernels::DType::BF16:
        append(tensor.data, kernels::f32_to_bf16(value));
        break;
      case kernels::DType::I8:
      case kernels::DType::I4:
        throw std::invalid_argument("quantised tensors have parts: see quantise_model()");
    }
  }
  constexpr const char* kNames[] = {"F32", "F16", "BF16"};
  tensor.type_name = kNames[static_cast<int>(type)];
  return tensor;
}

std::string safetensors_file(std::string_view header, std::string_view data) {
  std::string bytes;
  append(bytes, static_cast<std::uint64_t>(header.size()));
  return bytes.append(header).append(data);
}

std::string safetensors_bytes(const std::vector<TensorToWrite>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::string data;
  for (const TensorToWrite& tensor : tensors) {
    const std::size_t begin = data.size();
    data += tensor.data;
    header[tensor.name] = {{"dtype", tensor.type_name},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return safetensors_file(text, data);
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace lacuna::test
