// Which parts of other documents help at a cursor: those that share its words.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/fill_service.h"

namespace lacuna::daemon {

struct ContextSource {
  std::string path;  // as shown to the model
  std::string_view text;
  std::string_view language;
  bool same_folder = false;
  double seconds_since_edit = 1e9;
  std::vector<std::size_t> edits = {};  // places in `text` that were edited lately
  bool only_edits = false;              // nothing else of it counts: it is the file itself
};

struct ContextWish {
  std::string_view text;   // of the document that is filled
  std::size_t offset = 0;  // of the cursor
  std::string_view language;
  int max_tokens = 256;  // estimated as three bytes each
};

// Windows of whole lines of the sources, best first. A window scores by the rare words it shares
// with the lines around the cursor (Jaccard, as published for RepoCoder's first round), a little
// more for the same language and folder and where a source was edited lately, and more again where
// one of the edits lies in it; at most two of a source, none that shares nothing. Looks at the first
// 256 KiB of each source.
std::vector<ContextPiece> rank_context(const ContextWish& wish,
                                       std::span<const ContextSource> sources);

}  // namespace lacuna::daemon
