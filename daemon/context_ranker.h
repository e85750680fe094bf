// Which parts of other documents help at a cursor: those that share its words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/fill_service.h"

namespace lacuna::daemon {

// Where a text is looked through: windows of whole lines that overlap, and the words of each. Making
// one takes milliseconds for a long text, looking through it microseconds.
struct ContextIndex {
  struct Window {
    std::size_t begin, end;            // bytes
    std::vector<std::uint32_t> words;  // hashes of the rarer ones, sorted, each once
  };
  std::vector<Window> windows;
};

// Of the first 256 KiB.
ContextIndex index_context(std::string_view text);

struct ContextSource {
  std::string path;  // as shown to the model
  std::string_view text;
  std::string_view language;
  bool same_folder = false;
  double seconds_since_edit = 1e9;
  std::vector<std::size_t> edits = {};  // places in `text` that were edited lately
  const ContextIndex* index = nullptr;  // of `text`; null: it is made for this
};

struct ContextWish {
  std::string_view text;   // of the document that is filled
  std::size_t offset = 0;  // of the cursor
  std::string_view language;
  int max_tokens = 256;  // estimated as three bytes each
};

// Windows of the sources, best first. A window scores by the rare words it shares with the lines
// around the cursor (Jaccard, as published for RepoCoder's first round), a little more for the same
// language and folder and where a source was edited lately, and more again where one of the edits
// lies in it; at most two of a source, none that shares nothing.
std::vector<ContextPiece> rank_context(const ContextWish& wish,
                                       std::span<const ContextSource> sources);

}  // namespace lacuna::daemon
