#include "engine/checkpoint/strict_json.h"

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/quote.h"

namespace lacuna::engine {
namespace {

using nlohmann::json;

// Builds the tree from the parser's events; an event that returns false ends the parse.
class TreeBuilder final : public nlohmann::json_sax<json> {
 public:
  explicit TreeBuilder(JsonLimits limits) : limits_(limits) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return stop("binary data"); }  // not in JSON text

  bool start_object(std::size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (open_.back()->contains(name)) return stop("the key " + quote(name) + " appears twice");
    key_ = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    // Not the library's text: it repeats the last token, which can be as long as the file.
    return stop("invalid JSON near byte " + std::to_string(position));
  }

  json take_root() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

 private:
  bool stop(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  // The place of the next value. A pointer in open_ stays valid: a container grows only while it
  // is the last one open.
  json* place(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }

  bool add(json value) {
    if (++values_ > limits_.max_values) {
      return stop("more than " + std::to_string(limits_.max_values) + " JSON values");
    }
    place(std::move(value));
    return true;
  }

  bool open(json container) {
    if (open_.size() >= limits_.max_depth) {
      return stop("JSON nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    if (++values_ > limits_.max_values) return add(nullptr);
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonLimits limits_;
  std::size_t values_ = 0;
  json root_;
  std::vector<json*> open_;
  std::string key_;
  std::string problem_;
};

}  // namespace

Result<json> parse_strict_json(std::string_view text, JsonLimits limits) {
  // The library takes a NUL byte for the end of the text and would ignore what follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(ErrorCode::Corrupt, "invalid JSON near byte " + std::to_string(nul + 1));
  }
  TreeBuilder builder(limits);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) {
    return fail(ErrorCode::Corrupt, builder.problem());
  }
  return builder.take_root();
}

}  // namespace lacuna::engine
