#include "engine/blank_pairs.h"

#include <string>
#include <unordered_map>

namespace lacuna::engine {

BlankPairs blank_pairs_of(const Tokenizer& tokenizer, std::span<const std::uint8_t> text) {
  const auto n = static_cast<std::int32_t>(text.size());
  std::vector<std::string> spelling(text.size());
  std::unordered_map<std::string_view, std::int32_t> token_of;
  token_of.reserve(text.size());
  for (std::int32_t id = 0; id < n; ++id) {
    if (text[id] == 0 || tokenizer.is_control(id)) continue;
    spelling[id] = tokenizer.decode({&id, 1});
    if (!spelling[id].empty()) token_of.emplace(spelling[id], id);
  }
  BlankPairs pairs;
  pairs.without.assign(text.size(), BlankPairs::kNone);
  pairs.with.assign(text.size(), BlankPairs::kNone);
  pairs.joins.assign(text.size(), 0);
  for (std::int32_t id = 0; id < n; ++id) {
    const std::string_view mine = spelling[id];
    if (!mine.starts_with(' ')) continue;
    const auto found = token_of.find(mine.substr(1));
    if (mine.size() == 1) {
      pairs.without[id] = BlankPairs::kNothing;
    } else if (found == token_of.end()) {
      continue;
    } else {
      pairs.without[id] = found->second;
      if (pairs.with[found->second] == BlankPairs::kNone) pairs.with[found->second] = id;
    }
    if (mine.find_first_not_of(' ') != std::string_view::npos) continue;
    const std::vector<std::int32_t> tokens = tokenizer.encode(std::string(mine) + "x");
    pairs.joins[id] = tokens.empty() || tokens.front() != id ? 1 : 0;
  }
  return pairs;
}

}  // namespace lacuna::engine
