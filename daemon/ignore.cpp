#include "daemon/ignore.h"

#include <algorithm>

namespace lacuna::daemon {
namespace {

// Matches `[...]` at the start of a glob; moves it behind. An unclosed bracket is ordinary.
bool match_class(std::string_view& glob, char c, bool& closed) {
  std::size_t i = 1;
  const bool negated = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
  if (negated) ++i;
  const std::size_t first = i;
  bool inside = false;
  for (; i < glob.size() && (glob[i] != ']' || i == first); ++i) {
    if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
      inside = inside || (c >= glob[i] && c <= glob[i + 2]);
      i += 2;
    } else {
      inside = inside || c == glob[i];
    }
  }
  closed = i < glob.size();
  if (!closed) return false;
  glob.remove_prefix(i + 1);
  return inside != negated && c != '/';
}

// One character of a path against the head of a glob that is no star; moves both on.
bool match_one(std::string_view& glob, std::string_view& path) {
  const char c = path.front();
  bool closed = false;
  if (glob.front() == '[') {
    std::string_view rest = glob;
    const bool matches = match_class(rest, c, closed);
    if (closed) {
      glob = rest;
      path.remove_prefix(1);
      return matches;
    }
  }
  if (glob.front() == '\\' && glob.size() > 1)
    glob.remove_prefix(1);
  else if (glob.front() == '?' && c != '/') {
    glob.remove_prefix(1);
    path.remove_prefix(1);
    return true;
  }
  if (glob.front() != c) return false;
  glob.remove_prefix(1);
  path.remove_prefix(1);
  return true;
}

// Each star remembers where it stands and tries one character more when the rest fails; the last
// star of each kind is enough, so that no pattern costs more than the product of the lengths.
bool matches(std::string_view glob, std::string_view path) {
  struct Retry {
    std::string_view glob, path;
    bool active = false;
  };
  Retry star;
  Retry double_star;
  for (;;) {
    if (glob.starts_with("**/")) {
      glob.remove_prefix(3);
      double_star = {glob, path, true};
      star.active = false;
      continue;
    }
    if (glob == "**") return true;
    if (!glob.empty() && glob.front() == '*') {
      while (!glob.empty() && glob.front() == '*') glob.remove_prefix(1);
      star = {glob, path, true};
      continue;
    }
    if (glob.empty() && path.empty()) return true;
    if (!glob.empty() && !path.empty() && match_one(glob, path)) continue;
    if (star.active && !star.path.empty() && star.path.front() != '/') {
      star.path.remove_prefix(1);
      glob = star.glob;
      path = star.path;
      continue;
    }
    star.active = false;
    if (!double_star.active) return false;
    const std::size_t slash = double_star.path.find('/');
    if (slash == std::string_view::npos) return false;
    double_star.path.remove_prefix(slash + 1);
    glob = double_star.glob;
    path = double_star.path;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

void IgnoreList::add_line(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
    line.remove_suffix(1);
  }
  if (line.empty() || line.front() == '#') return;
  Pattern pattern;
  if (line.front() == '!') {
    pattern.negated = true;
    line.remove_prefix(1);
  }
  if (!line.empty() && line.back() == '/') {
    pattern.folders_only = true;
    line.remove_suffix(1);
  }
  pattern.anchored = line.find('/') != std::string_view::npos;
  if (!line.empty() && line.front() == '/') line.remove_prefix(1);
  if (line.empty()) return;
  pattern.glob = line;
  patterns_.push_back(std::move(pattern));
}

void IgnoreList::add_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    add_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool IgnoreList::decides(std::string_view path, bool is_folder) const {
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  for (auto it = patterns_.rbegin(); it != patterns_.rend(); ++it) {
    if (it->folders_only && !is_folder) continue;
    if (matches(it->glob, it->anchored ? path : name)) return !it->negated;
  }
  return false;
}

bool IgnoreList::ignores(std::string_view path) const {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    if (decides(path.substr(0, slash), true)) return true;
  }
  return decides(path, false);
}

std::string ReadRules::path_in_folder(const std::string& path) const {
  for (const Folder& folder : folders) {
    const std::string root = folder.path.ends_with('/') ? folder.path : folder.path + "/";
    if (!folder.path.empty() && path.starts_with(root)) return path.substr(root.size());
  }
  return path.starts_with('/') ? path.substr(1) : path;
}

std::string why_never_read(const ReadRules& rules, const std::string& path) {
  const std::string relative = rules.path_in_folder(path);
  for (const ReadRules::Folder& folder : rules.folders) {
    const std::string root = folder.path + "/";
    if (folder.path.empty() || !path.starts_with(root)) continue;
    if (folder.ignored.ignores(path.substr(root.size()))) {
      return std::string(kIgnoreFile) + " names it";
    }
  }
  if (is_secret_path(relative)) return "files of this name usually hold secrets and are never read";
  if (rules.excluded.ignores(relative)) return "the setting exclude names it";
  return "";
}

bool is_secret_path(std::string_view path) {
  static const IgnoreList secrets = [] {
    IgnoreList list;
    for (const char* pattern : {".env",          ".env.*",
                                "*.env",         ".envrc",
                                "*.pem",         "*.key",
                                "*.cert",        "*.crt",
                                "*.cer",         "*.der",
                                "*.p12",         "*.pfx",
                                "*.jks",         "*.keystore",
                                "*.kdbx",        "*.kdb",
                                "*.gpg",         "*.asc",
                                "*.ppk",         "id_rsa*",
                                "id_dsa*",       "id_ecdsa*",
                                "id_ed25519*",   ".netrc",
                                "_netrc",        ".pgpass",
                                ".htpasswd",     ".npmrc",
                                ".pypirc",       ".git-credentials",
                                ".dockercfg",    "secrets.yml",
                                "secrets.yaml",  "secrets.json",
                                "secrets.toml",  "secret.*",
                                "credentials",   "credentials.json",
                                "credentials.*", "*.tfvars",
                                "*.tfstate",     "*.tfstate.*",
                                "kubeconfig",    ".aws/",
                                ".ssh/",         ".gnupg/",
                                ".azure/",       ".kube/",
                                "secrets/",      ".password-store/",
                                "*.ovpn",        "*.mobileprovision",
                                "shadow",        "master.key",
                                "!.env.example", "!.env.sample",
                                "!.env.template"}) {
      list.add_line(pattern);
    }
    return list;
  }();
  const std::string text = lower(path);
  std::string_view relative = text;
  while (!relative.empty() && relative.front() == '/') relative.remove_prefix(1);
  return secrets.ignores(relative);
}

}  // namespace lacuna::daemon
