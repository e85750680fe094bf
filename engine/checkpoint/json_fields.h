// Fields of one JSON object, read with checks. Internal to engine/checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "support/result.h"

namespace lacuna::engine {

// The first problem is kept; later reads still return a usable value of the right range, so a
// parser reads all it needs and looks at error() once. A key with the value null counts as absent:
// Hugging Face files write both.
class JsonFields {
 public:
  // `prefix` goes before each key in messages: "document_format." for a nested object.
  explicit JsonFields(const nlohmann::json& object, std::string prefix = {});

  bool has(std::string_view key) const { return find(key) != nullptr; }
  // Null when absent.
  const nlohmann::json* find(std::string_view key) const;

  // A key that must be there and hold an integer in [low, high].
  int required_int(std::string_view key, int low, int high);
  std::optional<int> optional_int(std::string_view key, int low, int high);
  // A finite number in [low, high]. An integer such as 1000000 will do.
  double required_number(std::string_view key, double low, double high);
  std::optional<double> optional_number(std::string_view key, double low, double high);
  bool bool_or(std::string_view key, bool otherwise);
  std::optional<std::string> optional_string(std::string_view key);
  // An id in [0, vocab_size) or a list of them, of which the first counts; an empty list is absent.
  std::optional<std::int32_t> token_id(std::string_view key, int vocab_size);

  // Notes a problem with a key: "<key> is <value>; <rule>".
  void refuse(std::string_view key, std::string_view rule, ErrorCode code = ErrorCode::Corrupt);
  void refuse(Error error);
  const std::optional<Error>& error() const { return error_; }

 private:
  bool require(std::string_view key);
  // The key as messages show it. Some keys come from the file: names of languages.
  std::string name(std::string_view key) const;

  const nlohmann::json& object_;
  std::string prefix_;
  std::optional<Error> error_;
};

// The object in an untrusted JSON text.
Result<nlohmann::json> parse_json_object(std::string_view text);

}  // namespace lacuna::engine
