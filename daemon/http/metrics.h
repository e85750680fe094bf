// Counters of the HTTP side, in the text format of Prometheus.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "daemon/fill_service.h"

namespace lacuna::daemon::http {

struct Metrics {
  // By route ("/infill"; "other" for what there is not) and status.
  std::map<std::pair<std::string, int>, std::uint64_t> requests;
  std::uint64_t clients_gone = 0;  // before their fill was done
  std::uint64_t prompt_tokens = 0;
  std::uint64_t predicted_tokens = 0;
  double prompt_seconds = 0;
  double predicted_seconds = 0;
  std::size_t connections = 0;
  std::size_t fills = 0;  // being waited for
};

// With what the engine counts, and under llama.cpp's names what its users' dashboards show.
std::string prometheus_text(const Metrics& metrics, const EngineState& engine);

}  // namespace lacuna::daemon::http
