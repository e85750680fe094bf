#include "daemon/http/metrics.h"

#include <array>
#include <charconv>
#include <string_view>

namespace lacuna::daemon::http {
namespace {

class Writer {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += "# HELP " + std::string(name) + " " + std::string(help) + "\n";
    text_ += "# TYPE " + std::string(name) + " " + std::string(type) + "\n";
  }

  void sample(std::string_view name, const std::string& labels, double value) {
    std::array<char, 40> digits = {};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text_ += std::string(name) + labels + " " + std::string(digits.data(), end) + "\n";
  }

  void counter(std::string_view name, std::string_view help, double value) {
    family(name, "counter", help);
    sample(name, "", value);
  }

  void gauge(std::string_view name, std::string_view help, double value) {
    family(name, "gauge", help);
    sample(name, "", value);
  }

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

double per_second(std::uint64_t n, double seconds) {
  return seconds > 0 ? static_cast<double>(n) / seconds : 0;
}

void write_http(Writer& out, const Metrics& metrics) {
  out.family("lacuna_http_requests_total", "counter", "Requests answered, by route and status.");
  for (const auto& [key, count] : metrics.requests) {
    out.sample("lacuna_http_requests_total",
               "{route=\"" + key.first + "\",status=\"" + std::to_string(key.second) + "\"}",
               static_cast<double>(count));
  }
  out.counter("lacuna_http_clients_gone_total", "Clients that left before their fill was done.",
              static_cast<double>(metrics.clients_gone));
  out.gauge("lacuna_http_connections", "Open connections.",
            static_cast<double>(metrics.connections));
}

void write_engine(Writer& out, const EngineState& engine) {
  const FillCounters& counters = engine.counters;
  const auto n = [](std::uint64_t count) { return static_cast<double>(count); };
  out.family("lacuna_fills_total", "counter", "Fills asked for by all clients, by how they ended.");
  out.sample("lacuna_fills_total", "{end=\"answered\"}", n(counters.answered));
  out.sample("lacuna_fills_total", "{end=\"cancelled\"}", n(counters.cancelled));
  out.sample("lacuna_fills_total", "{end=\"refused\"}", n(counters.refused));
  out.sample("lacuna_fills_total", "{end=\"failed\"}", n(counters.failed));
  out.counter("lacuna_steps_total", "Denoising steps.", n(counters.steps));
  out.counter("lacuna_forward_passes_total", "Passes through the model.",
              n(counters.forward_passes));
  out.counter("lacuna_tokens_total", "Tokens in holes that were filled.", n(counters.tokens));
  out.counter("lacuna_engine_busy_seconds_total", "Time in which the engine worked.",
              counters.busy_seconds);
  out.counter("lacuna_model_loads_total", "Times the model was loaded.", n(counters.loads));
  out.counter("lacuna_model_unloads_total", "Times it was unloaded after idle time.",
              n(counters.unloads));
  out.gauge("lacuna_model_ready", "1 when the model is loaded.",
            engine.phase == ModelPhase::Ready ? 1 : 0);
  out.gauge("lacuna_fills_queued", "Fills that wait for their turn.", n(engine.queued));
  out.gauge("lacuna_fills_running", "Fills that are being denoised.", n(engine.running));
}

// tools/server/README.md of llama.cpp.
void write_llama_cpp(Writer& out, const Metrics& metrics, const EngineState& engine) {
  out.counter("llamacpp:prompt_tokens_total", "Tokens around the holes.",
              static_cast<double>(metrics.prompt_tokens));
  out.counter("llamacpp:prompt_seconds_total", "Time to prepare them.", metrics.prompt_seconds);
  out.counter("llamacpp:tokens_predicted_total", "Tokens of the fills.",
              static_cast<double>(metrics.predicted_tokens));
  out.counter("llamacpp:tokens_predicted_seconds_total", "Time to denoise them.",
              metrics.predicted_seconds);
  out.gauge("llamacpp:prompt_tokens_seconds", "Tokens around the holes for each second.",
            per_second(metrics.prompt_tokens, metrics.prompt_seconds));
  out.gauge("llamacpp:predicted_tokens_seconds", "Tokens of fills for each second.",
            per_second(metrics.predicted_tokens, metrics.predicted_seconds));
  out.gauge("llamacpp:requests_processing", "Requests that a fill is made for.",
            static_cast<double>(engine.running));
  out.gauge("llamacpp:requests_deferred", "Requests that wait.",
            static_cast<double>(engine.queued));
}

}  // namespace

std::string prometheus_text(const Metrics& metrics, const EngineState& engine) {
  Writer out;
  write_http(out, metrics);
  write_engine(out, engine);
  write_llama_cpp(out, metrics, engine);
  return out.take();
}

}  // namespace lacuna::daemon::http
