// JSON bodies of requests, which anybody may have sent: bounded, checked, read by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "support/result.h"

namespace lacuna::daemon::http {

// The object that `body` holds. InvalidInput when it is not JSON in UTF-8, not an object, nested
// deeper than 32 or has more than 100,000 values.
Result<nlohmann::json> parse_object(std::string_view body);

// `json` on one line without spaces, as llama.vim needs it; what is not UTF-8 becomes U+FFFD.
std::string compact(const nlohmann::json& json);
std::string compact(const nlohmann::ordered_json& json);

// Reads the fields of an object. A field that is missing or null counts as not given. The first
// field of a wrong type is remembered, and the rest of the reading goes on with what stands for
// fields that are not given.
class JsonFields {
 public:
  // The object outlives the reader.
  explicit JsonFields(const nlohmann::json& object);

  bool has(std::string_view name) const;
  std::string text(std::string_view name, std::string_view otherwise = "");
  std::string required_text(std::string_view name);
  bool flag(std::string_view name, bool otherwise);
  // Any number; one with a fraction is cut.
  std::int64_t whole(std::string_view name, std::int64_t otherwise);
  double number(std::string_view name, double otherwise);
  // A text or a list of texts; at most `most` of them are read.
  std::vector<std::string> texts(std::string_view name, std::size_t most);
  // Null when not given.
  const nlohmann::json* object(std::string_view name);
  const nlohmann::json* array(std::string_view name);

  // For what only the caller can see to be wrong. The first one counts.
  void refuse(std::string message);
  // InvalidInput for the first field that was wrong, in the words of llama.cpp's server.
  Result<void> check() const;

 private:
  const nlohmann::json* find(std::string_view name) const;
  void wrong_type(std::string_view name, std::string_view wanted);

  const nlohmann::json& object_;
  std::string problem_;
};

}  // namespace lacuna::daemon::http
