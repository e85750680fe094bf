#include "support/language.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace lacuna {
namespace {

// clang-format off
constexpr std::array kLanguages = {
    Language{"python", "#", "python", "py pyi pyw", "python3", "SConstruct wscript", "python pypy"},
    Language{"c", "//", "c", "c h", "", "", "tcc"},
    Language{"cpp", "//", "cpp", "cpp cc cxx c++ hpp hh hxx h++ ipp inl", "", "", ""},
    Language{"javascript", "//", "javascript", "js mjs cjs jsx", "javascriptreact javascript.jsx",
             "", "node nodejs"},
    Language{"typescript", "//", "typescript", "ts mts cts", "", "", "deno bun ts-node"},
    Language{"tsx", "//", "typescript", "tsx", "typescriptreact typescript.tsx", "", ""},
    Language{"go", "//", "go", "go", "golang", "", ""},
    Language{"rust", "//", "rust", "rs", "", "", "rust-script"},
    Language{"java", "//", "java", "java", "", "", "java"},
    Language{"bash", "#", "bash", "sh bash zsh ksh", "shellscript shell",
             ".bashrc .bash_profile .profile PKGBUILD", "sh bash dash ksh zsh"},
    Language{"lua", "--", "lua", "lua", "", ".luacheckrc", "lua luajit"},
    Language{"json", "", "json", "json", "jsonc", ".prettierrc .eslintrc", ""},
    Language{"cmake", "#", "cmake", "cmake", "", "CMakeLists.txt", ""},
    Language{"csharp", "//", "csharp", "cs", "c#", "", ""},
    Language{"css", "", "css", "css", "", "", ""},
    Language{"cuda", "//", "cuda", "cu cuh", "cuda-cpp", "", ""},
    Language{"dockerfile", "#", "dockerfile", "dockerfile", "docker", "Dockerfile", ""},
    Language{"haskell", "--", "haskell", "hs", "", "", "runhaskell runghc"},
    Language{"html", "", "html", "html htm", "", "", ""},
    Language{"ini", ";", "ini", "ini cfg", "dosini", "", ""},
    Language{"julia", "#", "julia", "jl", "", "", "julia"},
    Language{"kotlin", "//", "kotlin", "kt kts", "", "", "kotlin"},
    Language{"make", "#", "make", "make mk", "makefile", "Makefile makefile GNUmakefile", "make"},
    Language{"markdown", "", "markdown", "md markdown", "", "", ""},
    Language{"perl", "#", "perl", "pl pm", "", "", "perl"},
    Language{"php", "//", "php", "php", "", "", "php"},
    Language{"r", "#", "r", "r", "", "", "rscript Rscript"},
    Language{"ruby", "#", "ruby", "rb", "", "Gemfile Rakefile", "ruby"},
    Language{"scala", "//", "scala", "scala sc", "", "", "scala"},
    Language{"sql", "--", "sql", "sql", "", "", ""},
    Language{"swift", "//", "swift", "swift", "", "", "swift"},
    Language{"toml", "#", "toml", "toml", "", "", ""},
    Language{"xml", "", "xml", "xml svg", "", "", ""},
    Language{"yaml", "#", "yaml", "yaml yml", "", "", ""},
    Language{"zig", "//", "zig", "zig", "", "", ""},
};
// clang-format on

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

const Language* with_word(std::string_view Language::* words, std::string_view word) {
  const auto* found = std::find_if(kLanguages.begin(), kLanguages.end(),
                                   [&](const Language& it) { return has_word(it.*words, word); });
  return found == kLanguages.end() ? nullptr : found;
}

// "#!/usr/bin/env -S python3.11 -u" -> "python": the interpreter without folder and version.
const Language* language_of_shebang(std::string_view text) {
  if (text.substr(0, 2) != "#!") return nullptr;
  std::string_view rest = text.substr(2, text.find_first_of("\r\n") - 2);
  while (!rest.empty()) {
    const std::size_t begin = std::min(rest.find_first_not_of(" \t"), rest.size());
    const std::size_t end = std::min(rest.find_first_of(" \t", begin), rest.size());
    std::string_view word = rest.substr(begin, end - begin);
    rest.remove_prefix(end);
    if (const std::size_t slash = word.rfind('/'); slash != std::string_view::npos) {
      word.remove_prefix(slash + 1);
    }
    // Options and assignments of env stand before the interpreter.
    if (word == "env" || word.substr(0, 1) == "-" || word.find('=') != std::string_view::npos) {
      continue;
    }
    return with_word(&Language::interpreters,
                     word.substr(0, word.find_last_not_of("0123456789.") + 1));
  }
  return nullptr;
}

}  // namespace

std::span<const Language> languages() { return kLanguages; }

const Language* language_named(std::string_view name) {
  const std::string key = lower(name);
  for (const auto words : {&Language::name, &Language::aliases, &Language::extensions}) {
    if (const Language* found = with_word(words, key)) return found;
  }
  return nullptr;
}

const Language* language_of_file(std::string_view path, std::string_view text) {
  const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  if (const Language* found = with_word(&Language::file_names, name)) return found;
  const std::size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    const std::string extension = lower(name.substr(dot + 1));
    if (const Language* found = with_word(&Language::extensions, extension)) return found;
  }
  return language_of_shebang(text);
}

}  // namespace lacuna
