// What clients ask about the server and its model.
#pragma once

#include <string>

#include "daemon/fill_service.h"
#include "daemon/http/exchange.h"

namespace lacuna::daemon::http {

// The name of the model in answers: before it was loaded for the first time, "lacuna".
std::string model_name(const EngineState& engine);

Response health(const EngineState& engine);          // llama.cpp's and Tabby's
Response models(const EngineState& engine);          // OpenAI's, with llama.cpp's `meta`
Response props(const EngineState& engine);           // llama.cpp's
Response ollama_show(const EngineState& engine);     // /api/show
Response ollama_tags(const EngineState& engine);     // /api/tags
Response ollama_running(const EngineState& engine);  // /api/ps
Response ollama_version();                           // /api/version

}  // namespace lacuna::daemon::http
