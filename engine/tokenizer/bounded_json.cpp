#include "engine/tokenizer/bounded_json.h"

#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace lacuna::engine {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxValues = 1'000'000;

// Builds the tree and diverts model.vocab and model.merges. Returning false from a callback ends
// the parsing; `error` then says why.
class Reader : public nlohmann::json_sax<json> {
 public:
  explicit Reader(const JsonSinks& sinks) : sinks_(sinks) {}

  json root;
  std::string error;

  bool null() override { return value(nullptr); }
  bool boolean(bool b) override { return value(b); }
  bool number_integer(std::int64_t n) override { return number(n); }
  bool number_unsigned(std::uint64_t n) override {
    return n <= INT64_MAX ? number(static_cast<std::int64_t>(n)) : refuse("a number is too large");
  }
  bool number_float(double x, const std::string&) override { return value(x); }
  bool binary(json::binary_t&) override { return refuse("binary values are not JSON"); }

  bool string(std::string& text) override {
    if (part_ == Part::Merges) return sinks_.merge(text);
    if (part_ != Part::MergePair) return value(std::move(text));
    if (text.find(' ') != std::string::npos) return refuse("a piece of a merge has a space");
    if (pair_size_ == 2) return refuse("a merge has more than two pieces");
    if (pair_size_ == 1) pair_ += ' ';
    pair_ += text;
    ++pair_size_;
    return true;
  }

  bool key(std::string& name) override {
    key_ = std::move(name);
    if (depth_ == 1) in_model_ = key_ == "model";
    return true;
  }

  bool start_object(std::size_t) override {
    if (part_ != Part::Tree) return refuse(kWrongType);
    if (is_vocab()) {
      ++depth_;
      part_ = Part::Vocab;
      return true;
    }
    return open(json::object());
  }
  bool end_object() override { return part_ == Part::Vocab ? leave(Part::Tree) : close(); }

  bool start_array(std::size_t) override {
    if (part_ == Part::Merges) {
      ++depth_;
      part_ = Part::MergePair;
      pair_.clear();
      pair_size_ = 0;
      return true;
    }
    if (part_ != Part::Tree) return refuse(kWrongType);
    if (sinks_.merge && at_model_key("merges")) {
      ++depth_;
      part_ = Part::Merges;
      return true;
    }
    return open(json::array());
  }
  bool end_array() override {
    if (part_ == Part::Merges) return leave(Part::Tree);
    if (part_ != Part::MergePair) return close();
    if (pair_size_ != 2) return refuse("a merge has fewer than two pieces");
    return leave(Part::Merges) && sinks_.merge(pair_);
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return refuse("not JSON at byte " + std::to_string(position));
  }

 private:
  enum class Part : std::uint8_t { Tree, Vocab, Merges, MergePair };
  static constexpr const char* kWrongType = "model.vocab or model.merges has a value of wrong type";

  bool refuse(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }

  bool at_model_key(std::string_view name) const {
    return depth_ == 2 && in_model_ && key_ == name && !open_.empty() && open_.back()->is_object();
  }
  bool is_vocab() const {
    if (!sinks_.vocab_entry) return false;
    return sinks_.root_is_vocab ? depth_ == 0 : at_model_key("vocab");
  }

  bool number(std::int64_t n) {
    return part_ == Part::Vocab ? sinks_.vocab_entry(key_, n) : value(n);
  }

  json* place(json&& value) {
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    return &((*open_.back())[key_] = std::move(value));
  }

  bool value(json&& value) {
    if (part_ != Part::Tree) return refuse(kWrongType);
    if (++n_values_ > kMaxValues) return refuse("too many values");
    place(std::move(value));
    return true;
  }

  bool open(json&& container) {
    if (++depth_ > kMaxDepth) return refuse("nested too deeply");
    if (++n_values_ > kMaxValues) return refuse("too many values");
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    --depth_;
    open_.pop_back();
    return true;
  }
  bool leave(Part to) {
    --depth_;
    part_ = to;
    return true;
  }

  const JsonSinks& sinks_;
  Part part_ = Part::Tree;
  std::size_t depth_ = 0;
  std::size_t n_values_ = 0;
  std::string key_;        // the last one read
  bool in_model_ = false;  // the last key of the root object was "model"
  std::string pair_;
  int pair_size_ = 0;
  // The containers that are open, outermost first. A parent does not change while a child is
  // open, so the pointers stay valid.
  std::vector<json*> open_;
};

}  // namespace

Result<json> parse_json(std::string_view text, std::string_view name, const JsonSinks& sinks) {
  Reader reader(sinks);
  if (!json::sax_parse(text.begin(), text.end(), &reader)) {
    return fail(
        ErrorCode::Corrupt,
        std::string(name) + ": " +
            (reader.error.empty() ? "an id is out of range, or there are too many" : reader.error));
  }
  return std::move(reader.root);
}

}  // namespace lacuna::engine
