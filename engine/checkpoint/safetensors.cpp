#include "engine/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/quote.h"
#include "engine/checkpoint/strict_json.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the published limit
constexpr std::size_t kLengthBytes = 8;

struct FormatType {
  std::string_view name;
  unsigned bits;
  std::optional<kernels::DType> type;
};

// Every type of the published format. A type that is not here is a damaged file.
constexpr std::array kFormatTypes = {
    FormatType{"BF16", 16, kernels::DType::BF16},
    FormatType{"F16", 16, kernels::DType::F16},
    FormatType{"F32", 32, kernels::DType::F32},
    FormatType{"BOOL", 8, {}},
    FormatType{"C64", 64, {}},
    FormatType{"F4", 4, {}},
    FormatType{"F6_E2M3", 6, {}},
    FormatType{"F6_E3M2", 6, {}},
    FormatType{"F64", 64, {}},
    FormatType{"F8_E4M3", 8, {}},
    FormatType{"F8_E4M3FNUZ", 8, {}},
    FormatType{"F8_E5M2", 8, {}},
    FormatType{"F8_E5M2FNUZ", 8, {}},
    FormatType{"F8_E8M0", 8, {}},
    FormatType{"I16", 16, {}},
    FormatType{"I32", 32, {}},
    FormatType{"I64", 64, {}},
    FormatType{"I8", 8, {}},
    FormatType{"U16", 16, {}},
    FormatType{"U32", 32, {}},
    FormatType{"U64", 64, {}},
    FormatType{"U8", 8, {}},
};

Error corrupt(std::string message) { return fail(ErrorCode::Corrupt, std::move(message)); }

Error wrong_tensor(std::string_view name, std::string_view problem) {
  return corrupt("tensor " + quote(name) + " " + std::string(problem));
}

// The header text: after eight bytes of little-endian length, and it must start with '{'.
Result<std::string_view> header_text(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes) {
    return corrupt("the file has " + std::to_string(bytes.size()) +
                   " bytes, too few for a safetensors file");
  }
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  }
  if (length > kMaxHeaderBytes) {
    return corrupt("the header claims " + std::to_string(length) + " bytes; the limit is " +
                   std::to_string(kMaxHeaderBytes));
  }
  if (length > bytes.size() - kLengthBytes) {
    return corrupt("the header claims " + std::to_string(length) + " bytes, the file has only " +
                   std::to_string(bytes.size() - kLengthBytes) + " after it: it is truncated");
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data() + kLengthBytes);
  if (length == 0 || text[0] != '{') return corrupt("the header does not start with '{'");
  return std::string_view(text, length);
}

// A JSON array of integers in [0, INT64_MAX].
std::optional<std::vector<std::int64_t>> integers(const json& entry, const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) return {};
  std::vector<std::int64_t> values;
  values.reserve(found->size());
  for (const json& item : *found) {
    if (!item.is_number_unsigned()) return {};
    const auto value = item.get<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
    values.push_back(static_cast<std::int64_t>(value));
  }
  return values;
}

// Bytes of a tensor, or nothing if that is no whole number or does not fit 63 bits.
std::optional<std::uint64_t> byte_count(std::span<const std::int64_t> shape, unsigned bits) {
  std::int64_t count = bits;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count)) return {};
  }
  if (count % 8 != 0) return {};
  return static_cast<std::uint64_t>(count / 8);
}

Result<SafetensorsEntry> parse_entry(const std::string& name, const json& value,
                                     std::span<const std::byte> data) {
  if (!value.is_object()) return wrong_tensor(name, "is not described by a JSON object");
  const auto type_name = value.find("dtype");
  if (type_name == value.end() || !type_name->is_string()) {
    return wrong_tensor(name, "has no dtype");
  }
  const auto& word = type_name->get_ref<const std::string&>();
  const auto* type = std::find_if(kFormatTypes.begin(), kFormatTypes.end(),
                                  [&](const FormatType& known) { return known.name == word; });
  if (type == kFormatTypes.end()) {
    return wrong_tensor(name, "has the unknown dtype " + quote(word));
  }
  auto shape = integers(value, "shape");
  if (!shape) return wrong_tensor(name, "has no shape of non-negative integers");
  const auto size = byte_count(*shape, type->bits);
  if (!size) {
    return wrong_tensor(name, "has shape " + shape_text(*shape) + ", which no file can hold");
  }
  const auto offsets = integers(value, "data_offsets");
  if (!offsets || offsets->size() != 2) {
    return wrong_tensor(name, "has no data_offsets of two non-negative integers");
  }
  const auto begin = static_cast<std::uint64_t>((*offsets)[0]);
  const auto end = static_cast<std::uint64_t>((*offsets)[1]);
  if (begin > end || end > data.size()) {
    return wrong_tensor(name, "has data_offsets " + shape_text(*offsets) + ", the data has " +
                                  std::to_string(data.size()) + " bytes");
  }
  if (end - begin != *size) {
    return wrong_tensor(name, "has " + std::to_string(end - begin) + " bytes; " + word + " " +
                                  shape_text(*shape) + " needs " + std::to_string(*size));
  }
  return SafetensorsEntry{name, type->name, type->type, std::move(*shape),
                          data.subspan(begin, end - begin)};
}

Result<std::map<std::string, std::string>> parse_metadata(const json& value) {
  std::map<std::string, std::string> metadata;
  if (!value.is_object()) return corrupt("__metadata__ is not an object");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return corrupt("__metadata__ " + quote(key) + " is not a string");
    metadata.emplace(key, text.get<std::string>());
  }
  return metadata;
}

// The format allows neither overlaps nor holes: the tensors tile the data, in some order.
Result<void> check_tiling(const std::vector<SafetensorsEntry>& entries,
                          std::span<const std::byte> data) {
  std::vector<const SafetensorsEntry*> order;
  order.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    // An empty tensor comes before the one that starts at the same byte.
    return std::pair(a->data.data(), a->data.size()) < std::pair(b->data.data(), b->data.size());
  });
  const std::byte* expected = data.data();
  for (const SafetensorsEntry* entry : order) {
    if (entry->data.data() != expected) {
      return wrong_tensor(entry->name, entry->data.data() < expected
                                           ? "overlaps another tensor"
                                           : "leaves a hole in the data before it");
    }
    expected += entry->data.size();
  }
  const auto used = static_cast<std::size_t>(expected - data.data());
  if (used != data.size()) {
    return corrupt("the file has " + std::to_string(data.size() - used) +
                   " bytes after the last tensor");
  }
  return {};
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  Result<MappedFile> mapping = MappedFile::open(path);
  if (!mapping) return mapping.error();
  Result<SafetensorsFile> file = parse(mapping->bytes());
  if (!file) return fail(file.error().code, path.string() + ": " + file.error().message);
  file->mapping_ = std::move(*mapping);
  return file;
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes) {
  const Result<std::string_view> text = header_text(bytes);
  if (!text) return text.error();
  const Result<json> header = parse_strict_json(*text, {.max_depth = 8});
  if (!header) return corrupt("the header has " + header.error().message);

  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + text->size());
  SafetensorsFile file;
  for (const auto& [name, value] : header->items()) {  // in the order of names
    if (name == "__metadata__") {
      auto metadata = parse_metadata(value);
      if (!metadata) return metadata.error();
      file.metadata_ = std::move(*metadata);
      continue;
    }
    Result<SafetensorsEntry> entry = parse_entry(name, value, data);
    if (!entry) return entry.error();
    file.entries_.push_back(std::move(*entry));
  }
  if (const Result<void> tiling = check_tiling(file.entries_, data); !tiling) {
    return tiling.error();
  }
  return file;
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const SafetensorsEntry& entry, std::string_view key) { return entry.name < key; });
  return found != entries_.end() && found->name == name ? &*found : nullptr;
}

Result<TensorView> SafetensorsFile::tensor(std::string_view name) const {
  const SafetensorsEntry* entry = find(name);
  if (entry == nullptr) return fail(ErrorCode::NotFound, "no tensor " + quote(name));
  return weights_of(*entry);
}

Result<TensorView> weights_of(const SafetensorsEntry& entry) {
  if (!entry.type) {
    return fail(ErrorCode::InvalidInput, "tensor " + quote(entry.name) + " has dtype " +
                                             std::string(entry.type_name) +
                                             "; F32, F16 and BF16 are supported");
  }
  return TensorView{*entry.type, entry.shape, entry.data};
}

std::string shape_text(std::span<const std::int64_t> shape) {
  constexpr std::size_t kMaxShown = 8;  // a hostile shape can have a million extents
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    if (i == kMaxShown) return text + "...]";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace lacuna::engine
