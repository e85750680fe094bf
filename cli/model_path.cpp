#include "cli/model_path.h"

#include <algorithm>
#include <system_error>

namespace lacuna::cli {
namespace {

namespace fs = std::filesystem;

// Any folder with a config.json counts as a model; loading it checks the rest.
bool is_model(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "config.json", ignored);
}

// The folders that hold models by name, in the order in which they are searched.
std::vector<fs::path> shelves(const ModelSearch& search) {
  std::vector<fs::path> all;
  for (const fs::path& shelf : {search.user, search.installed, search.source}) {
    if (!shelf.empty()) all.push_back(shelf);
  }
  return all;
}

// "a/b/" -> "b": what to call a folder in reports.
std::string name_of(const fs::path& folder) {
  std::error_code ignored;
  const fs::path whole = fs::weakly_canonical(folder, ignored);
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

Error no_such_model(const std::string& name, const ModelSearch& search) {
  std::string message = "there is no model '" + name + "'";
  if (is_model(name)) return fail(ErrorCode::NotFound, message + "; did you mean ./" + name + "?");
  std::string known;
  for (const ModelPlace& model : list_models(search)) known += ", " + model.name;
  message += known.empty() ? " and no other one" : "; there are: " + known.substr(2);
  return fail(ErrorCode::NotFound, message + " (a folder is named with a slash, as in ./" +
                                       (name.empty() ? "model" : name) + ")");
}

}  // namespace

ModelSearch model_search(const std::function<const char*(const char*)>& variable) {
  const auto value = [&](const char* name) -> std::string {
    const char* found = variable(name);
    return found == nullptr ? "" : found;
  };
  ModelSearch search;
  search.preferred = value("LACUNA_MODEL");
  std::error_code ignored;
  const fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
  if (!executable.empty()) {
    search.installed = executable.parent_path().parent_path() / "share/lacuna/models";
  }
  search.source = LACUNA_SOURCE_MODELS;
  const std::string data = value("XDG_DATA_HOME");
  const std::string home = value("HOME");
  if (!data.empty()) {
    search.user = fs::path(data) / "lacuna/models";
  } else if (!home.empty()) {
    search.user = fs::path(home) / ".local/share/lacuna/models";
  }
  return search;
}

Result<ModelPlace> find_model(const std::string& wanted, const ModelSearch& search) {
  std::string name = wanted.empty() ? search.preferred : wanted;
  if (name.empty()) name = kEmbeddedModel;
  if (name.find('/') != std::string::npos || name == "." || name == "..") {
    return ModelPlace{name_of(name), name};
  }
  for (const fs::path& shelf : shelves(search)) {
    if (is_model(shelf / name)) return ModelPlace{name, shelf / name};
  }
  return no_such_model(name, search);
}

std::vector<ModelPlace> list_models(const ModelSearch& search) {
  std::vector<ModelPlace> models;
  for (const fs::path& shelf : shelves(search)) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(shelf, ignored)) {
      const std::string name = entry.path().filename().string();
      const bool known = std::any_of(models.begin(), models.end(),
                                     [&](const ModelPlace& it) { return it.name == name; });
      if (!known && is_model(entry.path())) models.push_back({name, entry.path()});
    }
  }
  std::sort(models.begin(), models.end(), [](const ModelPlace& a, const ModelPlace& b) {
    const bool a_first = a.name == kEmbeddedModel;
    const bool b_first = b.name == kEmbeddedModel;
    return a_first != b_first ? a_first : a.name < b.name;
  });
  return models;
}

}  // namespace lacuna::cli
