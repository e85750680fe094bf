// A byte-level tokenizer small enough to read, as a tokenizer.json that tests can alter.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/tokenizer/byte_level.h"
#include "engine/tokenizer/splitter.h"
#include "engine/tokenizer/tokenizer_files.h"

namespace lacuna::engine {

// Ids: 0..255 the bytes, then one for each of `merges` (as plain text: {"a", "b"}) in order.
inline nlohmann::json tiny_tokenizer_json(
    const std::vector<std::pair<std::string, std::string>>& merges,
    const std::vector<std::string>& added = {}) {
  nlohmann::json vocab;
  nlohmann::json list = nlohmann::json::array();
  for (int byte = 0; byte < 256; ++byte) {
    vocab[piece_of_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  }
  std::int32_t id = 256;
  for (const auto& [left, right] : merges) {
    const auto [entry, is_new] = vocab.emplace(piece_of_bytes(left + right), id);
    if (is_new) ++id;
    list.push_back(piece_of_bytes(left) + " " + piece_of_bytes(right));
  }
  nlohmann::json added_tokens = nlohmann::json::array();
  for (const std::string& content : added) {
    added_tokens.push_back({{"id", id++},
                            {"content", content},
                            {"special", true},
                            {"normalized", false},
                            {"lstrip", false},
                            {"rstrip", false},
                            {"single_word", false}});
  }
  const nlohmann::json split = {{"type", "Split"},
                                {"pattern", {{"Regex", std::string(kQwen2Pattern)}}},
                                {"behavior", "Isolated"},
                                {"invert", false}};
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return {{"version", "1.0"},
          {"added_tokens", added_tokens},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}}},
          {"decoder", byte_level},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}}}};
}

inline Result<std::unique_ptr<Tokenizer>> load_json(const nlohmann::json& json) {
  const Result<BpeSpec> spec = parse_tokenizer_json(json.dump());
  if (!spec) return spec.error();
  return make_bpe_tokenizer(*spec);
}

inline std::unique_ptr<Tokenizer> must_load(const nlohmann::json& json) {
  auto tokenizer = load_json(json);
  if (!tokenizer) {
    ADD_FAILURE() << tokenizer.error().message;
    std::abort();
  }
  return std::move(*tokenizer);
}

}  // namespace lacuna::engine
