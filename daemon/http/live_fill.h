// POST /lacuna/fill: any number of holes of a text, with every denoising step as it happens. The
// page at `/` is made of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/fill_service.h"
#include "daemon/http/completion_run.h"
#include "daemon/http/exchange.h"

namespace lacuna::daemon::http {

// The order that a body asks for: `text` with markers or with `holes` in bytes, and options.
// InvalidInput when a field is wrong or there is no hole.
Result<FillOrder> parse_live_fill(const nlohmann::json& body, const Options& options,
                                  std::string document);

// What the events of a stream hold, one line of JSON each.
std::string live_start(const FillOrder& order, const EngineState& engine);
std::string live_step(const FillStep& step);
std::string live_done(const FillOrder& order, const FillAnswer& answer);

// Answers with events `start`, `step` (a client that reads slowly misses some), and `done` or
// `error`.
void run_live_fill(const std::shared_ptr<const CompletionContext>& context,
                   std::shared_ptr<Exchange> exchange, FillOrder order);

}  // namespace lacuna::daemon::http
