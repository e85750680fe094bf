#include "daemon/http/server_info.h"

#include <thread>

#include <nlohmann/json.hpp>

#include "daemon/http/json_fields.h"
#include "daemon/http/protocols.h"

namespace lacuna::daemon::http {
namespace {

using Json = nlohmann::ordered_json;

Json ollama_model(const EngineState& engine) {
  const std::string name = model_name(engine);
  return {{"name", name},
          {"model", name},
          {"modified_at", "1970-01-01T00:00:00Z"},
          {"size", engine.model.bytes},
          {"digest", ""},
          {"details",
           {{"format", "safetensors"},
            {"family", "diffusion"},
            {"families", {"diffusion"}},
            {"parameter_size", std::to_string(engine.model.parameters)},
            {"quantization_level", engine.model.numbers}}}};
}

}  // namespace

std::string model_name(const EngineState& engine) {
  return engine.model.name.empty() ? "lacuna" : engine.model.name;
}

Response health(const EngineState& engine) {
  if (engine.phase == ModelPhase::Failed) {
    return {.status = 503, .body = llama_error(503, engine.problem)};
  }
  // A model that is not loaded yet is loaded for the first request, which is served: that is ok.
  const Json body = {{"status", "ok"},
                     {"model", model_name(engine)},
                     {"device", engine.model.device.empty() ? "cpu" : engine.model.device},
                     {"arch", ""},
                     {"cpu_info", ""},
                     {"cpu_count", std::thread::hardware_concurrency()},
                     {"cuda_devices", Json::array()},
                     {"version",
                      {{"build_date", ""},
                       {"build_timestamp", ""},
                       {"git_sha", ""},
                       {"git_describe", "lacuna " LACUNA_VERSION}}},
                     {"lacuna", {{"phase", name_of(engine.phase)}, {"queued", engine.queued}}}};
  return {.body = compact(body)};
}

Response models(const EngineState& engine) {
  const Json model = {{"id", model_name(engine)},
                      {"object", "model"},
                      {"created", 0},
                      {"owned_by", "lacuna"},
                      {"meta",
                       {{"n_vocab", engine.model.vocabulary},
                        {"n_ctx_train", engine.model.max_canvas},
                        {"n_embd", engine.model.width},
                        {"n_params", engine.model.parameters},
                        {"size", engine.model.bytes}}}};
  return {.body = compact(Json{{"object", "list"}, {"data", Json::array({model})}})};
}

Response props(const EngineState& engine) {
  const Json body = {{"default_generation_settings", {{"n_ctx", engine.model.max_canvas}}},
                     {"total_slots", 1},
                     {"model_alias", model_name(engine)},
                     {"model_path", model_name(engine)},
                     {"modalities", {{"vision", false}, {"audio", false}}},
                     {"build_info", "lacuna " LACUNA_VERSION},
                     {"is_sleeping", engine.phase == ModelPhase::Unloaded}};
  return {.body = compact(body)};
}

Response ollama_show(const EngineState& engine) {
  // Continue fills gaps only with models whose template has a suffix.
  const Json body = {{"modelfile", ""},
                     {"parameters", ""},
                     {"template", "{{ .Prompt }}{{ .Suffix }}"},
                     {"details", ollama_model(engine)["details"]},
                     {"model_info", Json::object()},
                     {"capabilities", {"completion", "insert"}}};
  return {.body = compact(body)};
}

Response ollama_tags(const EngineState& engine) {
  return {.body = compact(Json{{"models", Json::array({ollama_model(engine)})}})};
}

Response ollama_running(const EngineState& engine) {
  Json list = Json::array();
  if (engine.phase == ModelPhase::Ready) list.push_back(ollama_model(engine));
  return {.body = compact(Json{{"models", std::move(list)}})};
}

Response ollama_version() { return {.body = compact(Json{{"version", LACUNA_VERSION}})}; }

}  // namespace lacuna::daemon::http
