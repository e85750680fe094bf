// A language by the first byte, then a text in which each byte 0xFF is a hole.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "grammar/hole_checker.h"

namespace {

using lacuna::grammar::HoleChecker;
using lacuna::grammar::HoleMode;
using lacuna::grammar::Piece;
using lacuna::grammar::Verdict;

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  for (;;) {
    const std::size_t hole = text.find('\xFF');
    pieces.push_back({text.substr(0, hole), false});
    if (hole == std::string_view::npos) return pieces;
    pieces.push_back({{}, true});
    text.remove_prefix(hole + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr const char* kLanguages[] = {"json", "python", "c",  "javascript", "tsx",       "rust",
                                        "lua",  "cpp",    "go", "java",       "typescript"};
  constexpr std::size_t kCount = std::size(kLanguages);
  if (size == 0 || size > 400) return 0;
  static std::unique_ptr<HoleChecker> closed[kCount], open[kCount];
  const std::size_t which = data[0] % kCount;
  if (!closed[which]) {
    closed[which] = HoleChecker::make(kLanguages[which], {HoleMode::Closed, 50'000});
    open[which] = HoleChecker::make(kLanguages[which], {HoleMode::Open, 50'000});
    if (!closed[which] || !open[which]) std::abort();
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Verdict of_closed = closed[which]->check(pieces_of(text));
  const Verdict of_open = open[which]->check(pieces_of(text));
  // What no hole can repair, a hole that may do less cannot either.
  if (of_open == Verdict::Impossible && of_closed == Verdict::Possible) std::abort();
  // One hole more never hurts, and what was kept from the check before never matters.
  std::vector<Piece> more = pieces_of(text);
  more.insert(more.begin() + static_cast<std::ptrdiff_t>(more.size() / 2), Piece{{}, true});
  const Verdict with_hole = open[which]->check(more);
  if (of_open == Verdict::Possible && with_hole == Verdict::Impossible) std::abort();
  // The budget may be larger for a text that is new.
  const Verdict again = open[which]->check(pieces_of(text));
  const bool both_decided = again != Verdict::Unknown && of_open != Verdict::Unknown;
  if (both_decided && again != of_open) std::abort();
  return 0;
}
