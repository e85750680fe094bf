// `lacuna doctor`: what works on this machine, and what to do about what does not.
#include <CLI/CLI.hpp>
#include <memory>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/doctor_checks.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/standard_io.h"
#include "cli/terminal.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDescription =
    "Check what works on this machine: processor, memory, GPU, the model (a tiny fill is run) and "
    "the terminal. The exit code is 1 if something that Lacuna needs is missing.";

const char* name_of(Check::Status status) {
  switch (status) {
    case Check::Status::Ok:
      return "ok";
    case Check::Status::Warn:
      return "warn";
    case Check::Status::Fail:
      return "fail";
  }
  return "";
}

Style style_of(Check::Status status) {
  switch (status) {
    case Check::Status::Ok:
      return sure(1);
    case Check::Status::Warn:
      return sure(0.5);
    case Check::Status::Fail:
      return sure(0);
  }
  return {};
}

std::string as_text(const std::vector<Check>& checks, Colours colours) {
  std::string text;
  for (const Check& check : checks) {
    text += start_of(style_of(check.status), colours) + pad_right(name_of(check.status), 5) +
            start_of({}, colours) + pad_right(check.name, 10) + check.found + "\n";
    if (!check.advice.empty()) text += std::string(15, ' ') + "-> " + check.advice + "\n";
  }
  return text;
}

std::string as_json(const std::vector<Check>& checks, bool failed) {
  Json list = Json::array();
  for (const Check& check : checks) {
    list.push_back({{"name", check.name},
                    {"status", name_of(check.status)},
                    {"found", check.found},
                    {"advice", check.advice}});
  }
  const Json json = {{"version", LACUNA_VERSION}, {"ok", !failed}, {"checks", std::move(list)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

int run_doctor(const CommonOptions& options) {
  Terminal output(STDOUT_FILENO);
  const std::vector<Check> checks = run_checks(options);
  bool failed = false;
  for (const Check& check : checks) failed = failed || check.status == Check::Status::Fail;
  const Result<void> written = write_output(
      options.json ? as_json(checks, failed) : as_text(checks, output.viewport().colours));
  if (!written) return report(written.error());
  return failed ? kFailed : kDone;
}

}  // namespace

Command add_doctor(CLI::App& root) {
  CLI::App* app = root.add_subcommand("doctor", "Check what works on this machine");
  app->description(kDescription);
  const auto options = std::make_shared<CommonOptions>();
  add_json_option(*app, *options, "Print JSON");
  add_model_option(*app, *options);
  add_device_options(*app, *options);
  return {app, [options] { return run_doctor(*options); }};
}

}  // namespace lacuna::cli
