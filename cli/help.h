// The text of --help.
#pragma once

#include <string>
#include <string_view>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 calls itself so
class App;
}

namespace lacuna::cli {

// Usage, description, options and commands of `app` (called `path`, as in "lacuna debug logits"),
// and its footer; folded to `width` columns. Lines of the footer that begin with a space are
// examples and stay as they are.
std::string help_text(const CLI::App& app, const std::string& path, int width);

// Words of `text` in lines of at most `width` cells, each after the first begun with `indent`
// spaces (counted in the width). A word that is longer stands alone.
std::string fold_words(std::string_view text, int indent, int width);

}  // namespace lacuna::cli
