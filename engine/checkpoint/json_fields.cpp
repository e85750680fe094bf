#include "engine/checkpoint/json_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/quote.h"
#include "engine/checkpoint/strict_json.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

std::string number_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

// A value as a message shows it: strings quoted, containers only named (they may be huge).
std::string value_text(const json& value) {
  if (value.is_string()) return quote(value.get_ref<const std::string&>());
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return value.dump();
}

// The integer in [low, high] that `value` holds.
std::optional<int> integer_in(const json& value, int low, int high) {
  if (!value.is_number_integer()) return {};
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    return {};
  }
  const auto number = value.get<std::int64_t>();
  if (number < low || number > high) return {};
  return static_cast<int>(number);
}

}  // namespace

JsonFields::JsonFields(const json& object, std::string prefix)
    : object_(object), prefix_(std::move(prefix)) {}

const json* JsonFields::find(std::string_view key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string JsonFields::name(std::string_view key) const { return prefix_ + printable(key); }

void JsonFields::refuse(Error error) {
  if (!error_) error_ = std::move(error);
}

void JsonFields::refuse(std::string_view key, std::string_view rule, ErrorCode code) {
  const json* value = find(key);
  const std::string shown = value == nullptr ? "absent" : value_text(*value);
  refuse(fail(code, name(key) + " is " + shown + "; " + std::string(rule)));
}

bool JsonFields::require(std::string_view key) {
  if (has(key)) return true;
  refuse(fail(ErrorCode::Corrupt, "the key " + name(key) + " is missing"));
  return false;
}

int JsonFields::required_int(std::string_view key, int low, int high) {
  return require(key) ? optional_int(key, low, high).value_or(low) : low;
}

std::optional<int> JsonFields::optional_int(std::string_view key, int low, int high) {
  const json* value = find(key);
  if (value == nullptr) return {};
  const std::optional<int> number = integer_in(*value, low, high);
  if (!number) {
    refuse(key,
           "it must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return number;
}

double JsonFields::required_number(std::string_view key, double low, double high) {
  return require(key) ? optional_number(key, low, high).value_or(low) : low;
}

std::optional<double> JsonFields::optional_number(std::string_view key, double low, double high) {
  const json* value = find(key);
  if (value == nullptr) return {};
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (!(number >= low && number <= high)) {  // also refuses NaN
    refuse(key, "it must be a number from " + number_text(low) + " to " + number_text(high));
    return {};
  }
  return number;
}

bool JsonFields::bool_or(std::string_view key, bool otherwise) {
  const json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) {
    refuse(key, "it must be true or false");
    return otherwise;
  }
  return value->get<bool>();
}

std::optional<std::string> JsonFields::optional_string(std::string_view key) {
  const json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    refuse(key, "it must be a string");
    return {};
  }
  return value->get<std::string>();
}

std::optional<std::int32_t> JsonFields::token_id(std::string_view key, int vocab_size) {
  const json* value = find(key);
  if (value == nullptr) return {};
  const auto check = [&](const json& item) {
    const std::optional<int> id = integer_in(item, 0, vocab_size - 1);
    if (!id) {
      refuse(fail(ErrorCode::Corrupt, name(key) + " is " + value_text(item) +
                                          "; token ids go from 0 to " +
                                          std::to_string(vocab_size - 1)));
    }
    return id;
  };
  if (!value->is_array()) return check(*value);
  std::optional<std::int32_t> first;
  for (const json& item : *value) {
    const std::optional<int> id = check(item);
    if (!first) first = id;
  }
  return first;
}

Result<json> parse_json_object(std::string_view text) {
  Result<json> value = parse_strict_json(text);
  if (value && !value->is_object()) return fail(ErrorCode::Corrupt, "it is not a JSON object");
  return value;
}

}  // namespace lacuna::engine
