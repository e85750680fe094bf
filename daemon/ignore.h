// Which files are never read: those that usually hold secrets, those of .lacunaignore files, and
// those that a setting excludes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna::daemon {

// Patterns as in .gitignore: `*`, `?`, `[a-z]`, `**`, a leading or inner `/` anchors at the root, a
// trailing `/` means folders, `!` takes back, `#` begins a comment. The last pattern that matches
// decides; as in git, what lies in an ignored folder cannot be taken back.
class IgnoreList {
 public:
  void add_line(std::string_view line);
  void add_text(std::string_view text);

  // `path` is relative to the folder of the list, with `/` between names.
  bool ignores(std::string_view path) const;
  bool empty() const { return patterns_.empty(); }

 private:
  struct Pattern {
    std::string glob;
    bool negated = false;
    bool folders_only = false;
    bool anchored = false;
  };

  bool decides(std::string_view path, bool is_folder) const;

  std::vector<Pattern> patterns_;
};

// What a session may read: its folders with their .lacunaignore files, and what a setting excludes.
struct ReadRules {
  struct Folder {
    std::string uri, path;
    IgnoreList ignored;
  };
  std::vector<Folder> folders;
  IgnoreList excluded;

  // Relative to the first of the folders that the file is in; else without the leading `/`.
  std::string path_in_folder(const std::string& path) const;
};

inline constexpr std::string_view kIgnoreFile = ".lacunaignore";

// Why a file is never read, as a clause; empty when it may be.
std::string why_never_read(const ReadRules& rules, const std::string& path);

// .env files, keys, certificates, password stores, cloud credentials and the like, by any part of
// the path, upper or lower case.
bool is_secret_path(std::string_view path);

}  // namespace lacuna::daemon
