#include "engine/language.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace lacuna::engine {
namespace {

constexpr std::array kLanguages = {
    Language{"python", "#"},      Language{"c", "//"},          Language{"cpp", "//"},
    Language{"javascript", "//"}, Language{"typescript", "//"}, Language{"go", "//"},
    Language{"rust", "//"},       Language{"java", "//"},       Language{"bash", "#"},
    Language{"cmake", "#"},       Language{"csharp", "//"},     Language{"css", ""},
    Language{"cuda", "//"},       Language{"dockerfile", "#"},  Language{"haskell", "--"},
    Language{"html", ""},         Language{"ini", ";"},         Language{"json", ""},
    Language{"julia", "#"},       Language{"kotlin", "//"},     Language{"lua", "--"},
    Language{"make", "#"},        Language{"markdown", ""},     Language{"perl", "#"},
    Language{"php", "//"},        Language{"r", "#"},           Language{"ruby", "#"},
    Language{"scala", "//"},      Language{"sql", "--"},        Language{"swift", "//"},
    Language{"toml", "#"},        Language{"xml", ""},          Language{"yaml", "#"},
    Language{"zig", "//"},
};

struct Key {
  std::string_view key;
  std::string_view language;
};

// Extensions without the dot, in lower case. They serve as aliases of the names, too.
constexpr std::array kExtensions = {
    Key{"py", "python"},      Key{"pyi", "python"},
    Key{"pyw", "python"},     Key{"h", "c"},
    Key{"cc", "cpp"},         Key{"cxx", "cpp"},
    Key{"c++", "cpp"},        Key{"hpp", "cpp"},
    Key{"hh", "cpp"},         Key{"hxx", "cpp"},
    Key{"ipp", "cpp"},        Key{"js", "javascript"},
    Key{"mjs", "javascript"}, Key{"cjs", "javascript"},
    Key{"jsx", "javascript"}, Key{"ts", "typescript"},
    Key{"mts", "typescript"}, Key{"cts", "typescript"},
    Key{"tsx", "typescript"}, Key{"rs", "rust"},
    Key{"sh", "bash"},        Key{"zsh", "bash"},
    Key{"cs", "csharp"},      Key{"cu", "cuda"},
    Key{"cuh", "cuda"},       Key{"hs", "haskell"},
    Key{"htm", "html"},       Key{"cfg", "ini"},
    Key{"jl", "julia"},       Key{"kt", "kotlin"},
    Key{"kts", "kotlin"},     Key{"mk", "make"},
    Key{"md", "markdown"},    Key{"pl", "perl"},
    Key{"pm", "perl"},        Key{"rb", "ruby"},
    Key{"sc", "scala"},       Key{"svg", "xml"},
    Key{"yml", "yaml"},
};

constexpr std::array kAliases = {
    Key{"c#", "csharp"},       Key{"golang", "go"},  Key{"node", "javascript"},
    Key{"python3", "python"},  Key{"shell", "bash"}, Key{"dash", "bash"},
    Key{"ksh", "bash"},        Key{"rscript", "r"},  Key{"luajit", "lua"},
    Key{"deno", "typescript"},
};

constexpr std::array kFileNames = {
    Key{"CMakeLists.txt", "cmake"}, Key{"Makefile", "make"},         Key{"makefile", "make"},
    Key{"GNUmakefile", "make"},     Key{"Dockerfile", "dockerfile"}, Key{"Gemfile", "ruby"},
    Key{"Rakefile", "ruby"},        Key{".bashrc", "bash"},          Key{".profile", "bash"},
    Key{"SConstruct", "python"},
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

const Language* exactly(std::string_view name) {
  const auto* found = std::find_if(kLanguages.begin(), kLanguages.end(),
                                   [&](const Language& it) { return it.name == name; });
  return found == kLanguages.end() ? nullptr : found;
}

const Language* in(std::span<const Key> keys, std::string_view key) {
  for (const Key& it : keys) {
    if (it.key == key) return exactly(it.language);
  }
  return nullptr;
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
    return language_named(word.substr(0, word.find_last_not_of("0123456789.") + 1));
  }
  return nullptr;
}

}  // namespace

std::span<const Language> languages() { return kLanguages; }

const Language* language_named(std::string_view name) {
  const std::string key = lower(name);
  if (const Language* found = exactly(key)) return found;
  if (const Language* found = in(kExtensions, key)) return found;
  return in(kAliases, key);
}

const Language* language_of_file(std::string_view path, std::string_view text) {
  const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  if (const Language* found = in(kFileNames, name)) return found;
  const std::size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    const std::string extension = lower(name.substr(dot + 1));
    if (const Language* found = in(kExtensions, extension)) return found;
    if (const Language* found = exactly(extension)) return found;
  }
  return language_of_shebang(text);
}

}  // namespace lacuna::engine
