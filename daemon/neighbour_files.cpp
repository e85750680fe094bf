#include "daemon/neighbour_files.h"

#include <algorithm>
#include <system_error>

#include "support/file.h"
#include "support/language.h"

namespace lacuna::daemon {
namespace {

namespace fs = std::filesystem;

struct Found {
  fs::path path;
  fs::file_time_type modified;
  std::uint64_t size;
};

std::vector<Found> files_of(const fs::path& folder, const std::string& language,
                            const ReadRules& rules) {
  std::vector<Found> found;
  std::error_code error;
  int names = 0;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (++names > kMaxNames) break;
    const Language* named = language_of_file(it->path().string(), "");
    if (named == nullptr || named->name != language) continue;
    // Of the name itself: a link may lead to what the rules exclude.
    std::error_code unknown;
    if (it->symlink_status(unknown).type() != fs::file_type::regular || unknown) continue;
    if (!why_never_read(rules, it->path().string()).empty()) continue;
    const std::uint64_t size = it->file_size(unknown);
    if (unknown || size == 0 || size > kMaxNeighbourBytes) continue;
    const fs::file_time_type modified = it->last_write_time(unknown);
    if (!unknown) found.push_back({it->path(), modified, size});
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.modified != b.modified ? a.modified > b.modified : a.path < b.path;
  });
  if (found.size() > kMaxNeighbours) found.resize(kMaxNeighbours);
  return found;
}

}  // namespace

NeighbourFiles read_neighbours(const fs::path& folder, const std::string& language,
                               const ReadRules& rules, const NeighbourFiles& known) {
  NeighbourFiles files;
  for (const Found& file : files_of(folder, language, rules)) {
    const std::string path = file.path.string();
    const auto same = std::find_if(known.begin(), known.end(), [&](const auto& old) {
      return old->path == path && old->modified == file.modified && old->size == file.size;
    });
    if (same != known.end()) {
      files.push_back(*same);
      continue;
    }
    Result<std::string> text = read_file(file.path, kMaxNeighbourBytes);
    if (!text || text->find('\0') != std::string::npos) continue;
    ContextIndex index = index_context(*text);
    files.push_back(
        std::make_shared<const NeighbourFile>(NeighbourFile{.path = path,
                                                            .text = std::move(*text),
                                                            .modified = file.modified,
                                                            .size = file.size,
                                                            .index = std::move(index)}));
  }
  return files;
}

}  // namespace lacuna::daemon
