#include "daemon/http/json_fields.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace lacuna::daemon::http {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxValues = 100'000;

// Why `body` is too much for a tree, or nothing. Looks at the brackets and commas outside strings
// only: the parser does the rest.
std::string too_much(std::string_view body) {
  int depth = 0;
  std::size_t n_values = 1;
  bool in_string = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return "the body is nested too deeply";
    } else if (c == ']' || c == '}') {
      --depth;
    }
    if (c == ',' || c == '[' || c == '{') ++n_values;
    if (n_values > kMaxValues) return "the body has too many values";
  }
  return "";
}

}  // namespace

Result<json> parse_object(std::string_view body) {
  if (const std::string problem = too_much(body); !problem.empty()) {
    return fail(ErrorCode::InvalidInput, problem);
  }
  try {
    json parsed = json::parse(body);
    if (!parsed.is_object()) {
      return fail(ErrorCode::InvalidInput, "the body must be a JSON object");
    }
    return parsed;
  } catch (const json::parse_error& error) {
    return fail(ErrorCode::InvalidInput,
                "the body is not JSON in UTF-8, from byte " + std::to_string(error.byte) + " on");
  } catch (const json::exception&) {  // a number out of range
    return fail(ErrorCode::InvalidInput, "the body has a number that is too large");
  }
}

std::string compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string compact(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

JsonFields::JsonFields(const json& object) : object_(object) {}

const json* JsonFields::find(std::string_view name) const {
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void JsonFields::refuse(std::string message) {
  if (problem_.empty()) problem_ = std::move(message);
}

void JsonFields::wrong_type(std::string_view name, std::string_view wanted) {
  refuse("\"" + std::string(name) + "\" must be " + std::string(wanted));
}

bool JsonFields::has(std::string_view name) const { return find(name) != nullptr; }

std::string JsonFields::text(std::string_view name, std::string_view otherwise) {
  const json* value = find(name);
  if (value != nullptr && value->is_string()) return value->get_ref<const std::string&>();
  if (value != nullptr) wrong_type(name, "a string");
  return std::string(otherwise);
}

std::string JsonFields::required_text(std::string_view name) {
  if (!has(name)) refuse("\"" + std::string(name) + "\" is required");
  return text(name);
}

bool JsonFields::flag(std::string_view name, bool otherwise) {
  const json* value = find(name);
  if (value != nullptr && value->is_boolean()) return value->get<bool>();
  if (value != nullptr) wrong_type(name, "true or false");
  return otherwise;
}

std::int64_t JsonFields::whole(std::string_view name, std::int64_t otherwise) {
  constexpr double kLargest = 9e15;  // whole numbers up to here are exact
  return static_cast<std::int64_t>(
      std::clamp(std::trunc(number(name, static_cast<double>(otherwise))), -kLargest, kLargest));
}

double JsonFields::number(std::string_view name, double otherwise) {
  const json* value = find(name);
  if (value != nullptr && value->is_number()) return value->get<double>();
  if (value != nullptr) wrong_type(name, "a number");
  return otherwise;
}

std::vector<std::string> JsonFields::texts(std::string_view name, std::size_t most) {
  std::vector<std::string> texts;
  const json* value = find(name);
  if (value == nullptr) return texts;
  if (value->is_string()) return {value->get_ref<const std::string&>()};
  const bool list = value->is_array() && std::all_of(value->begin(), value->end(),
                                                     [](const json& it) { return it.is_string(); });
  if (!list) {
    wrong_type(name, "a string or an array of strings");
    return texts;
  }
  for (const json& it : *value) {
    if (texts.size() == most) break;
    texts.push_back(it.get_ref<const std::string&>());
  }
  return texts;
}

const json* JsonFields::object(std::string_view name) {
  const json* value = find(name);
  if (value == nullptr || value->is_object()) return value;
  wrong_type(name, "an object");
  return nullptr;
}

const json* JsonFields::array(std::string_view name) {
  const json* value = find(name);
  if (value == nullptr || value->is_array()) return value;
  wrong_type(name, "an array");
  return nullptr;
}

Result<void> JsonFields::check() const {
  if (problem_.empty()) return {};
  return fail(ErrorCode::InvalidInput, problem_);
}

}  // namespace lacuna::daemon::http
