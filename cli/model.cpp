// `lacuna model`: which models there are, what is in one, and where it lies.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include <nlohmann/json.hpp>

#include "cli/calibrate.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/load_model.h"
#include "cli/quantise.h"
#include "cli/standard_io.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/tokenizer/tokenizer.h"

namespace lacuna::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kExamples =
    "Models are folders in the Hugging Face format. Those in $XDG_DATA_HOME/lacuna/models "
    "(~/.local/share/lacuna/models) can be named; any other is given as a folder, with a slash. "
    "$LACUNA_MODEL names the default.\n\n"
    "Examples:\n"
    "  lacuna model list\n"
    "  lacuna model show --json\n"
    "  lacuna model show ./DiffuCoder-7B-Instruct\n"
    "  lacuna model quantise ./DiffuCoder-7B-Instruct ./DiffuCoder-7B-8bit";

struct ModelOptions {
  CommonOptions common;
};

const char* name_of(engine::Architecture architecture) {
  switch (architecture) {
    case engine::Architecture::Dream:
      return "Dream";
    case engine::Architecture::Qwen2:
      return "Qwen2 (bidirectional)";
    case engine::Architecture::Llada:
      return "LLaDA";
  }
  return "unknown";
}

const char* name_of(kernels::DType type) {
  switch (type) {
    case kernels::DType::F32:
      return "f32";
    case kernels::DType::F16:
      return "f16";
    case kernels::DType::BF16:
      return "bf16";
    case kernels::DType::I8:
      return "int8";
    case kernels::DType::I4:
      return "int4";
  }
  return "unknown";
}

ModelSearch search_of_process() {
  return model_search([](const char* name) -> const char* {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes it
  });
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

int finish(const std::string& output) {
  const Result<void> written = write_output(output);
  return written ? kDone : report(written.error());
}

// Bytes needed to run the model on `positions` tokens: packed weights, keys and values, logits.
std::uint64_t memory_needed(const engine::Checkpoint& checkpoint, std::uint64_t per_weight,
                            int positions) {
  const engine::ModelConfig& config = checkpoint.config();
  const auto weights = static_cast<std::uint64_t>(checkpoint.parameter_count()) * per_weight;
  const std::uint64_t floats_per_position = 2ULL * static_cast<unsigned>(config.layers) *
                                            static_cast<unsigned>(config.kv_heads) *
                                            static_cast<unsigned>(config.head_size);
  return weights + floats_per_position * static_cast<unsigned>(positions) * sizeof(float);
}

Json control_tokens(const engine::ModelConfig& config) {
  Json tokens = Json::object();
  const auto add = [&](const char* name, const std::optional<std::int32_t>& id) {
    if (id) tokens[name] = *id;
  };
  add("mask", config.mask_token);
  add("pad", config.pad_token);
  add("bos", config.bos_token);
  add("eos", config.eos_token);
  add("expand", config.expand_token);
  add("delete", config.delete_token);
  return tokens;
}

Json tokenizer_json(const fs::path& folder) {
  const auto tokenizer = engine::load_tokenizer(folder);
  if (!tokenizer) return {{"problem", tokenizer.error().message}};
  return {{"size", (*tokenizer)->size()}};
}

// Null for a model of floats.
Json quantisation_json(const engine::ModelConfig& config) {
  if (!config.quantisation) return {};
  Json json = {{"bits", config.quantisation->bits}};
  if (config.quantisation->bits == 4) json["group"] = config.quantisation->group;
  return json;
}

Json files_json(const fs::path& folder) {
  Json files = Json::array();
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (!entry.is_regular_file(ignored)) continue;
    const std::uintmax_t size = entry.file_size(ignored);
    files.push_back({{"name", entry.path().filename().string()}, {"bytes", ignored ? 0 : size}});
  }
  std::sort(files.begin(), files.end(),
            [](const Json& a, const Json& b) { return a["name"] < b["name"]; });
  return files;
}

Result<Json> describe_model(const ModelPlace& place) {
  const Result<engine::Checkpoint> checkpoint = engine::Checkpoint::open(place.folder);
  if (!checkpoint) return checkpoint.error();
  const engine::ModelConfig& config = checkpoint->config();
  const kernels::DType stored = checkpoint->tensors().layers[0].q.type;
  const int positions = std::min(config.max_positions, 2048);
  return Json{{"name", place.name},
              {"folder", place.folder.string()},
              {"architecture", name_of(config.architecture)},
              {"parameters", checkpoint->parameter_count()},
              {"dtype", name_of(stored)},
              {"quantization", quantisation_json(config)},
              {"layers", config.layers},
              {"hidden_size", config.hidden_size},
              {"intermediate_size", config.intermediate_size},
              {"heads", config.heads},
              {"kv_heads", config.kv_heads},
              {"head_size", config.head_size},
              {"vocab_size", config.vocab_size},
              {"max_positions", config.max_positions},
              {"tied_embeddings", config.tied_embeddings},
              {"shift_logits", config.shift_logits},
              {"tokenizer", tokenizer_json(place.folder)},
              {"control_tokens", control_tokens(config)},
              {"memory",
               {{"positions", positions},
                {"f32_bytes", memory_needed(*checkpoint, 4, positions)},
                {"bf16_bytes", memory_needed(*checkpoint, 2, positions)},
                {"int8_bytes", memory_needed(*checkpoint, 1, positions)}}},
              {"files", files_json(place.folder)}};
}

void add_row(std::string& table, std::string_view name, const std::string& value) {
  table += pad_right(name, 16) + value + "\n";
}

std::string shape_text(const Json& model) {
  const auto number = [&](const char* key) { return grouped(model[key].get<std::uint64_t>()); };
  return number("layers") + " layers, " + number("hidden_size") + " wide, MLP " +
         number("intermediate_size") + ", " + number("heads") + " heads of " + number("head_size") +
         " (" + number("kv_heads") + " for keys and values)";
}

// "bf16", "8 bits", or "4 bits in groups of 32, embedding and head 8 bits".
std::string numbers_text(const Json& model) {
  const Json& quantisation = model["quantization"];
  if (quantisation.is_null()) return model["dtype"].get<std::string>();
  if (!quantisation.contains("group")) return "8 bits";
  return "4 bits in groups of " + quantisation["group"].dump() + ", embedding and head 8 bits";
}

std::string as_text(const Json& model) {
  const auto number = [&](const char* key) { return grouped(model[key].get<std::uint64_t>()); };
  std::string table;
  add_row(table, "model", model["name"].get<std::string>());
  add_row(table, "folder", model["folder"].get<std::string>());
  add_row(table, "architecture",
          model["architecture"].get<std::string>() +
              (model["shift_logits"].get<bool>() ? ", shifted logits" : ""));
  add_row(table, "parameters", number("parameters") + " (" + numbers_text(model) + ")");
  add_row(table, "shape", shape_text(model));
  add_row(table, "vocabulary",
          number("vocab_size") + (model["tied_embeddings"].get<bool>() ? ", embeddings tied"
                                                                       : ", embeddings not tied"));
  add_row(table, "positions", number("max_positions"));
  const Json& tokenizer = model["tokenizer"];
  add_row(table, "tokenizer",
          tokenizer.contains("problem")
              ? "none: " + tokenizer["problem"].get<std::string>()
              : grouped(tokenizer["size"].get<std::uint64_t>()) + " tokens");
  std::string controls;
  for (const auto& [name, id] : model["control_tokens"].items()) {
    controls += (controls.empty() ? "" : ", ") + name + " " + id.dump();
  }
  add_row(table, "control tokens", controls);
  const Json& memory = model["memory"];
  add_row(table, "memory",
          human_bytes(memory["f32_bytes"].get<std::uint64_t>()) + " in f32, " +
              human_bytes(memory["bf16_bytes"].get<std::uint64_t>()) + " in bf16, " +
              human_bytes(memory["int8_bytes"].get<std::uint64_t>()) + " in int8, for " +
              memory["positions"].dump() + " positions");
  std::string_view name = "files";
  for (const Json& file : model["files"]) {
    add_row(table, name,
            file["name"].get<std::string>() + " (" +
                human_bytes(file["bytes"].get<std::uint64_t>()) + ")");
    name = "";
  }
  return table;
}

int run_list(const ModelOptions& options) {
  const ModelSearch search = search_of_process();
  const Result<ModelPlace> chosen = find_model("", search);
  Json models = Json::array();
  std::string table;
  for (const ModelPlace& model : list_models(search)) {
    const bool is_default = chosen && chosen->folder == model.folder;
    models.push_back(
        {{"name", model.name}, {"folder", model.folder.string()}, {"default", is_default}});
    table += pad_right(is_default ? "* " + model.name : "  " + model.name, 24) + " " +
             model.folder.string() + "\n";
  }
  if (models.empty() && !options.common.json) {
    return report("there are no models; put one in " + search.user.string());
  }
  return finish(options.common.json ? dump(models) : table);
}

int run_show(const ModelOptions& options) {
  const Result<ModelPlace> place = place_of_model(options.common);
  if (!place) return report(place.error());
  const Result<Json> model = describe_model(*place);
  if (!model) return report(model.error());
  return finish(options.common.json ? dump(*model) : as_text(*model));
}

int run_path(const ModelOptions& options) {
  const Result<ModelPlace> place = place_of_model(options.common);
  if (!place) return report(place.error());
  std::error_code ignored;
  if (!fs::is_directory(place->folder, ignored)) {
    return report("there is no folder " + place->folder.string());
  }
  const fs::path folder = fs::canonical(place->folder, ignored);
  const Json json = {{"name", place->name}, {"folder", folder.string()}};
  return finish(options.common.json ? dump(json) : folder.string() + "\n");
}

}  // namespace

Command add_model(CLI::App& root) {
  CLI::App* app = root.add_subcommand("model", "List, show, find, calibrate and shrink models");
  app->footer(kExamples);
  app->require_subcommand(1);
  const auto options = std::make_shared<ModelOptions>();
  CLI::App* list = app->add_subcommand("list", "The models that can be named; * is the default");
  CLI::App* show = app->add_subcommand("show", "What a model is: shape, tokens, memory, files");
  CLI::App* path = app->add_subcommand("path", "The folder of a model");
  for (CLI::App* command : {show, path}) {
    command->add_option("MODEL", options->common.model,
                        "A name or a folder with a slash (default: $LACUNA_MODEL, else the "
                        "embedded model)");
    command->add_option("--model", options->common.model, "The same")->type_name("DIR");
  }
  for (CLI::App* command : {list, show, path}) {
    add_json_option(*command, options->common, "Print JSON");
  }
  const auto calibration = std::make_shared<CalibrateOptions>();
  CLI::App* calibrate = add_calibrate(*app, calibration);
  const Command quantise = add_quantise(*app);
  return {app, [options, calibration, list, show, calibrate, quantise] {
            if (quantise.app->parsed()) return quantise.run();
            if (calibrate->parsed()) return run_calibrate(*calibration);
            if (list->parsed()) return run_list(*options);
            return show->parsed() ? run_show(*options) : run_path(*options);
          }};
}

}  // namespace lacuna::cli
