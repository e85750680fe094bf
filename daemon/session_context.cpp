// What the model sees beside the document: other open ones, recent edits, files of the same folder.
#include <algorithm>
#include <filesystem>

#include "daemon/session_impl.h"

namespace lacuna::daemon {
namespace {

constexpr std::size_t kMaxSources = 40;
constexpr std::size_t kMaxEdits = 4;
constexpr std::size_t kSameEdit = 200;  // bytes; nearer ones are one place
// Of the file itself: what is nearer to the cursor than this stands on the canvas already.
constexpr std::size_t kOnCanvas = 8 << 10;
constexpr std::size_t kMaxFolders = 16;
// What is indexed anew for one request: the loop must not be held up. The rest has its turn later.
constexpr std::size_t kIndexBytes = 64 << 10;
constexpr int kLinesAround = 6;  // of an edit
constexpr std::chrono::seconds kFresh(10);

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

std::size_t distance(std::size_t a, std::size_t b) { return a < b ? b - a : a - b; }

// Whole lines, some on each side of a place.
std::string_view lines_around(std::string_view text, std::size_t place) {
  std::size_t begin = std::min(place, text.size());
  std::size_t end = begin;
  for (int i = 0; i <= kLinesAround && begin > 0; ++i) {
    if (i > 0) --begin;                                        // past the line end before
    begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;  // npos + 1 is 0
  }
  for (int i = 0; i < kLinesAround && end < text.size(); ++i) {
    end = std::min(text.find('\n', end), text.size() - 1) + 1;
  }
  return text.substr(begin, end - begin);
}

// Bytes [begin, end) have become `inserted` bytes.
void note_edit(std::vector<std::size_t>& edits, std::size_t begin, std::size_t end,
               std::size_t inserted) {
  for (std::size_t& edit : edits) {
    if (edit >= end) {
      edit = edit - (end - begin) + inserted;
    } else {
      edit = std::min(edit, begin);
    }
  }
  std::erase_if(edits, [&](std::size_t edit) { return distance(edit, begin) < kSameEdit; });
  edits.insert(edits.begin(), begin);
  if (edits.size() > kMaxEdits) edits.resize(kMaxEdits);
}

// Where two texts begin to differ, and where the first one is as the end of the second again.
void note_difference(std::vector<std::size_t>& edits, std::string_view before,
                     std::string_view after) {
  const auto [b, a] = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
  const auto begin = static_cast<std::size_t>(b - before.begin());
  if (begin == before.size() && begin == after.size()) return;
  const std::size_t shorter = std::min(before.size(), after.size()) - begin;
  std::size_t same = 0;
  while (same < shorter && before[before.size() - 1 - same] == after[after.size() - 1 - same]) {
    ++same;
  }
  note_edit(edits, begin, before.size() - same, after.size() - same - begin);
}

}  // namespace

void Session::Impl::apply_change(Document& document, const lsp::ContentChange& change) {
  document.index.reset();
  if (!change.range) {
    note_difference(document.edits, document.content.text(), change.text);
    document.content = lsp::TextDocument(change.text);
    document.out_of_step = false;
    return;
  }
  const std::size_t begin = document.content.offset_of(change.range->start, encoding);
  const std::size_t end = document.content.offset_of(change.range->end, encoding);
  note_edit(document.edits, begin, end, change.text.size());
  (void)document.content.replace(*change.range, encoding, change.text);  // its order was checked
}

NeighbourFiles Session::Impl::neighbours_of(const Document& document) {
  // Only where the editor has the folder open: a file alone says nothing of those beside it.
  const bool in_folder =
      std::any_of(rules.folders.begin(), rules.folders.end(), [&](const ReadRules::Folder& folder) {
        return !folder.path.empty() && document.path.starts_with(folder.path + "/");
      });
  if (!settings.values.context_folder || !host.in_background || !in_folder) return {};
  if (document.language.empty()) return {};
  const std::string folder = folder_of(document.path);
  const std::string key = folder + '\n' + document.language;
  const auto found = neighbours.find(key);
  const SteadyClock::time_point now = SteadyClock::now();
  if (found != neighbours.end() && now - found->second.asked < kFresh) return found->second.files;
  if (found == neighbours.end() && neighbours.size() >= kMaxFolders) neighbours.clear();
  Neighbours& entry = neighbours[key];
  entry.asked = now;
  const auto read = std::make_shared<NeighbourFiles>();
  host.in_background(
      [read, folder, language = document.language, rules = rules, known = entry.files] {
        *read = read_neighbours(folder, language, rules, known);
      },
      [weak = weak_from_this(), read, key, now] {
        const auto self = weak.lock();
        if (!self) return;
        // Not when the rules have changed meanwhile: what they let be read was asked for anew.
        const auto found_again = self->neighbours.find(key);
        if (found_again == self->neighbours.end() || found_again->second.asked != now) return;
        found_again->second.files = *read;
      });
  return entry.files;
}

std::vector<ContextPiece> Session::Impl::context_for(const Document& document, std::size_t offset) {
  if (settings.values.context_tokens == 0) return {};
  std::vector<ContextSource> sources;
  const SteadyClock::time_point now = SteadyClock::now();
  std::size_t indexed = 0;
  for (auto& [uri, other] : documents) {
    if (uri == document.uri || !other.excluded.empty() || other.out_of_step) continue;
    if (other.content.text().find('\0') != std::string::npos) continue;
    if (!other.index) {
      if (indexed > kIndexBytes) continue;
      indexed += other.content.text().size();
      other.index = index_context(other.content.text());
    }
    const std::chrono::duration<double> age = now - other.last_edit;
    sources.push_back({.path = rules.path_in_folder(other.path),
                       .text = other.content.text(),
                       .language = other.language,
                       .same_folder = folder_of(other.path) == folder_of(document.path),
                       .seconds_since_edit = age.count(),
                       .edits = other.edits,
                       .index = &*other.index});
  }
  // Those that were edited last are most likely to matter; the rest would only cost time.
  std::stable_sort(sources.begin(), sources.end(), [](const auto& a, const auto& b) {
    return a.seconds_since_edit < b.seconds_since_edit;
  });
  const NeighbourFiles files = neighbours_of(document);
  for (const auto& file : files) {
    const auto is_open = [&](const auto& entry) { return entry.second.path == file->path; };
    if (std::any_of(documents.begin(), documents.end(), is_open)) continue;
    sources.push_back({.path = rules.path_in_folder(file->path),
                       .text = file->text,
                       .language = document.language,
                       .same_folder = true,
                       .index = &file->index});
  }
  if (sources.size() > kMaxSources) sources.resize(kMaxSources);
  for (const std::size_t edit : document.edits) {
    if (distance(edit, offset) <= kOnCanvas) continue;
    sources.push_back({.path = rules.path_in_folder(document.path),
                       .text = lines_around(document.content.text(), edit),
                       .language = document.language,
                       .same_folder = true,
                       .seconds_since_edit = 0});
  }
  return rank_context({.text = document.content.text(),
                       .offset = offset,
                       .language = document.language,
                       .max_tokens = settings.values.context_tokens},
                      sources);
}

}  // namespace lacuna::daemon
