// Where models lie, and which folder the value of --model means.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::cli {

inline constexpr std::string_view kEmbeddedModel = "lacuna-small";

struct ModelPlace {
  std::string name;
  std::filesystem::path folder;
};

// Where to look. Built from the process by model_search(), by hand in tests.
struct ModelSearch {
  std::string preferred;            // $LACUNA_MODEL: what --model means when it is not given
  std::filesystem::path installed;  // <executable>/../share/lacuna/models
  std::filesystem::path source;     // the source tree's models/, for builds not installed
  std::filesystem::path user;       // $XDG_DATA_HOME/lacuna/models; may be empty
};

ModelSearch model_search(const std::function<const char*(const char*)>& variable);

// Names with a slash (and "." and "..") are folders. Other names are looked for among the user's
// models, then the embedded ones. Empty: `preferred`, or the embedded model when that is empty.
// NotFound names the models that there are.
Result<ModelPlace> find_model(const std::string& wanted, const ModelSearch& search);

// The models that can be named, by name; the embedded one first.
std::vector<ModelPlace> list_models(const ModelSearch& search);

}  // namespace lacuna::cli
