#include "cli/doctor_checks.h"

#include <chrono>
#include <unistd.h>

#include "cli/daemon_process.h"
#include "cli/daemon_status.h"
#include "cli/format.h"
#include "cli/load_model.h"
#include "cli/terminal.h"
#include "daemon/runtime_paths.h"
#include "engine/infill.h"

namespace lacuna::cli {
namespace {

using Status = Check::Status;

constexpr std::uint64_t kLittleMemory = 512ULL << 20;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string milliseconds(double seconds) { return fixed(seconds * 1000, 1) + " ms"; }

Check check_device(const CommonOptions& options, const engine::CudaState& cuda) {
  const Result<engine::DeviceWish> wish = engine::parse_device(options.device);
  const Result<engine::Device> device =
      wish ? engine::choose_device(*wish, cuda) : Result<engine::Device>(wish.error());
  if (!device) return {Status::Fail, "device", device.error().message, "use --device auto"};
  return {Status::Ok, "device", "models run on " + device->name(), ""};
}

// A fill so small that only something broken can make it slow.
Check check_fill(const LoadedModel& model) {
  engine::InfillRequest request;
  request.text = "def add(a, b):\n    return \n";
  request.holes = {{.begin = 26, .end = 26, .tokens = 4, .hint = {}}};
  request.language = "python";
  request.line_comment = "#";
  const auto start = std::chrono::steady_clock::now();
  const Result<engine::InfillResult> result = engine::infill(model.model, request);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!result) {
    return {Status::Fail, "fill", result.error().message, "check the model with lacuna model show"};
  }
  return {Status::Ok, "fill",
          "4 tokens in " + milliseconds(seconds.count()) + ", " +
              std::to_string(result->forward_passes) + " forward passes",
          ""};
}

void check_model(const CommonOptions& options, std::vector<Check>& checks) {
  const Result<ModelPlace> place = place_of_model(options);
  if (!place) {
    checks.push_back({Status::Fail, "model", place.error().message,
                      "name one with --model DIR or $LACUNA_MODEL"});
    return;
  }
  const Result<LoadedModel> model = load_model(options, true, nullptr);
  if (!model) {
    checks.push_back({Status::Fail, "model", model.error().message,
                      "fetch the model again, or name another with --model DIR"});
    return;
  }
  const double megabytes = static_cast<double>(model->bytes) / 1e6;
  checks.push_back({Status::Ok, "model",
                    place->name + ", " + grouped(static_cast<std::uint64_t>(model->parameters)) +
                        " parameters, " + describe(model->numbers) + ", on " +
                        model->device.name() + ", loaded in " + milliseconds(model->seconds) +
                        " (" + fixed(megabytes / model->seconds, 0) + " MB/s)",
                    ""});
  checks.push_back(check_fill(*model));
}

Check check_terminal() {
  const Terminal terminal(STDERR_FILENO);
  if (!terminal.can_draw()) {
    return {Status::Ok, "terminal", "standard error is none: --watch prints a log of steps", ""};
  }
  const Viewport viewport = terminal.viewport();
  const char* colours = "none";
  if (viewport.colours == Colours::Indexed) colours = "256";
  if (viewport.colours == Colours::True) colours = "true";
  Check check = {Status::Ok, "terminal",
                 std::to_string(viewport.width + 1) + "x" + std::to_string(viewport.height) +
                     ", colours: " + colours,
                 ""};
  if (viewport.width < 40 || viewport.height < 8) {
    check.status = Status::Warn;
    check.advice = "enlarge it to at least 40x8 to see something with --watch";
  }
  return check;
}

// The file of the settings, and where each value comes from that is not the default.
Check check_settings(const CommonOptions& options) {
  DaemonOptions given;
  given.common = options;
  const Result<daemon::SettingsState> state = settings_of(given);
  if (!state) return {Status::Warn, "settings", state.error().message, ""};
  const std::string chosen = settings_text(daemon::chosen_settings(*state));
  const std::string found = daemon::settings_file(environment_variable).string() + "; " +
                            (chosen.empty() ? "all defaults" : chosen);
  if (state->warnings.empty()) return {Status::Ok, "settings", found, ""};
  std::string advice;
  for (const std::string& warning : state->warnings) {
    advice += (advice.empty() ? "" : "; ") + warning;
  }
  return {Status::Warn, "settings", found, advice};
}

// Whether the daemon of this user runs, and what it and its editors were told: it has read file and
// environment when it began, and they may have changed since.
Check check_daemon() {
  constexpr double kSeconds = 5;
  const Result<std::filesystem::path> socket = socket_of({});
  if (!socket) return {Status::Warn, "daemon", socket.error().message, ""};
  const Result<lsp::Json> status = status_of_daemon(*socket, kSeconds);
  if (status) {
    return {Status::Ok, "daemon",
            "running at " + socket->string() + "; " + describe_daemon(*status), ""};
  }
  if (status.error().code == ErrorCode::NotFound) {
    return {Status::Ok, "daemon", "not running; the first editor starts it", ""};
  }
  return {Status::Warn, "daemon",
          "running at " + socket->string() + ", but " + status.error().message,
          "end it; the next editor starts another"};
}

}  // namespace

Check check_cpu(const engine::CpuState& cpu) {
  Check check = {Status::Ok, "cpu",
                 (cpu.model.empty() ? std::string("unknown") : cpu.model) + ", " +
                     std::to_string(cpu.threads) + " threads, kernels: " +
                     std::string(kernels::name_of(cpu.isa)) + " (" + joined(cpu.features) + ")",
                 ""};
  if (cpu.isa == kernels::Isa::Scalar) {
    check.status = Status::Warn;
    check.advice = "without AVX2 fills take several times as long; use a small model";
  }
  return check;
}

Check check_memory(const engine::CpuState& cpu) {
  if (cpu.memory == 0) return {Status::Ok, "memory", "unknown", ""};
  Check check = {Status::Ok, "memory",
                 human_bytes(cpu.free_memory) + " of " + human_bytes(cpu.memory) + " available",
                 ""};
  if (cpu.free_memory < kLittleMemory) {
    check.status = Status::Warn;
    check.advice = "close other programs before loading a large model";
  }
  return check;
}

Check check_cuda(const engine::CudaState& cuda) {
  if (!cuda.built) {
    return {Status::Ok, "cuda", cuda.problem.empty() ? "not built" : cuda.problem,
            "for a GPU, build with the preset cuda-release"};
  }
  if (!cuda.problem.empty()) {
    return {Status::Warn, "cuda", cuda.problem, "models run on the CPU meanwhile"};
  }
  return {Status::Ok, "cuda", joined(cuda.gpus), ""};
}

Check check_cublaslt(const std::string& version) {
  if (!version.empty()) return {Status::Ok, "cublaslt", "cuBLASLt " + version, ""};
  return {Status::Warn, "cublaslt", "not found: long texts take longer in bf16",
          "install libcublas of CUDA 12 or 13, or name its folder in LD_LIBRARY_PATH"};
}

std::vector<Check> run_checks(const CommonOptions& options) {
  const engine::CpuState cpu = engine::probe_cpu();
  const engine::CudaState cuda = engine::probe_cuda();
  std::vector<Check> checks = {check_cpu(cpu), check_memory(cpu), check_cuda(cuda)};
  if (!cuda.gpus.empty()) checks.push_back(check_cublaslt(engine::probe_cublaslt()));
  checks.push_back(check_device(options, cuda));
  if (checks.back().status != Status::Fail) check_model(options, checks);
  checks.push_back(check_settings(options));
  checks.push_back(check_daemon());
  checks.push_back(check_terminal());
  return checks;
}

}  // namespace lacuna::cli
