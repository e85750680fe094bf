// Files that lie in the folder of a document and are in its language: what a program is made of
// mostly lies together. They are read away from the loop, and kept while they stay as they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daemon/context_ranker.h"
#include "daemon/ignore.h"

namespace lacuna::daemon {

struct NeighbourFile {
  std::string path;
  std::string text;
  std::filesystem::file_time_type modified;
  std::uint64_t size = 0;  // of the file, when it was read
  ContextIndex index;
};

using NeighbourFiles = std::vector<std::shared_ptr<const NeighbourFile>>;

// The most files of a folder, and the most bytes of one: larger ones are left out, they are mostly
// generated. A folder is looked through as far as this many names.
inline constexpr std::size_t kMaxNeighbours = 16;
inline constexpr std::uint64_t kMaxNeighbourBytes = 64 << 10;
inline constexpr int kMaxNames = 4096;

// The files that were changed last, newest first. Only regular files that `rules` let be read, no
// links; `language` is a name of support/language.h and is told by the file's name. Files of `known`
// with the same time and size are not read again. Never fails: what cannot be read is left out.
NeighbourFiles read_neighbours(const std::filesystem::path& folder, const std::string& language,
                               const ReadRules& rules, const NeighbourFiles& known);

}  // namespace lacuna::daemon
