#include "cli/fill_run.h"

#include <string>
#include <vector>

#include "cli/exit.h"
#include "cli/fill_display.h"
#include "cli/fill_report.h"
#include "cli/position.h"
#include "cli/standard_io.h"
#include "daemon/checked_alternatives.h"
#include "daemon/checked_infill.h"
#include "support/file.h"

namespace lacuna::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Names the first hole that could not be finished.
Result<void> check_finished(std::string_view text, std::span<const engine::Hole> holes,
                            std::span<const engine::HoleFill> fills) {
  for (std::size_t i = 0; i < fills.size(); ++i) {
    if (fills[i].masks_left == 0) continue;
    const LineIndex lines(text);
    return fail(ErrorCode::Unavailable,
                "the hole at " + to_string(position_of(text, lines, holes[i].begin)) + " has " +
                    std::to_string(fills[i].masks_left) +
                    " tokens left that the model did not fill; try other --steps or --alg, or "
                    "leave out --exact");
  }
  return {};
}

// Runs `fill` while the steps of `request` are shown on the terminal.
template <class Fill>
auto denoise(engine::InfillRequest& request, bool watch, Terminal& terminal, Interrupts& interrupts,
             std::vector<int>& canvas_of_hole, const Fill& fill) {
  FillDisplay display(terminal, watch, request.text, request.holes,
                      request.options.default_hole_tokens);
  canvas_of_hole.assign(request.holes.size(), 0);
  request.stop = interrupts.token();
  request.on_step = [&](const engine::InfillProgress& progress) {
    for (const int hole : progress.holes) {
      canvas_of_hole[static_cast<std::size_t>(hole)] = progress.canvas_idx;
    }
    display.step(progress);
  };
  const Interrupts::Cooperative cooperative(interrupts);
  display.begin();
  auto result = fill();
  display.end();
  return result;
}

Result<void> deliver(const FillOptions& options, const FillReport& report, Interrupts& interrupts) {
  const std::string filled =
      engine::splice(report.text, report.request->holes, report.checked->result.fills);
  if (options.write) {
    // A signal must not end the process between writing the new file and renaming it.
    const Interrupts::Cooperative cooperative(interrupts);
    if (Result<void> ok = write_file(options.file, filled); !ok) return ok;
  }
  if (options.common.json) return write_output(to_json(report));
  return options.write ? Result<void>() : write_output(filled);
}

// What was withheld, in one line; ok when nothing was.
Result<void> check_shown(std::string_view text, std::span<const engine::Hole> holes,
                         const daemon::CheckedInfill& checked) {
  std::string places;
  std::string reason;
  for (std::size_t i = 0; i < holes.size(); ++i) {
    if (checked.holes[i].state != daemon::SyntaxState::Withheld) continue;
    const LineIndex lines(text);
    places += (places.empty() ? "" : ", ") + to_string(position_of(text, lines, holes[i].begin));
    if (reason.empty()) reason = checked.holes[i].reason;
  }
  if (places.empty()) return {};
  return fail(ErrorCode::Unavailable,
              "left as it was, because no fill was found that parses: the hole at " + places +
                  " (" + reason + "); try another --seed or length, or --no-syntax to see it");
}

std::string summary_of(const daemon::CheckedInfill& checked) {
  int good = 0;
  int repaired = 0;
  for (const daemon::HoleSyntax& hole : checked.holes) {
    good += hole.state == daemon::SyntaxState::Parses ? 1 : 0;
    repaired += hole.repairs > 0 ? 1 : 0;
  }
  std::string line = std::to_string(good) + " of " + std::to_string(checked.holes.size()) +
                     " fills parse, " + std::to_string(checked.constraint.vetoed) +
                     " tokens refused, " + std::to_string(repaired) + " fills repaired";
  if (!checked.constraint_off.empty())
    line += "; steps were not checked: " + checked.constraint_off;
  return line;
}

// ok when there is an alternative to show.
Result<void> check_shown(std::span<const daemon::CheckedAlternative> alternatives) {
  for (const daemon::CheckedAlternative& it : alternatives) {
    if (it.problem.empty()) return {};
  }
  return fail(ErrorCode::Unavailable,
              "no alternative was found that can be shown (" + alternatives.front().problem +
                  "); try another --seed or length, or --no-syntax to see what there is");
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int run_alternatives(const FillOptions& options, engine::InfillRequest& request,
                     const daemon::SyntaxOptions& syntax, const LoadedModel& model,
                     Terminal& terminal, Interrupts& interrupts, Clock::time_point start) {
  const Clock::time_point fill_start = Clock::now();
  std::vector<int> canvas_of_hole;
  const Result<std::vector<daemon::CheckedAlternative>> alternatives =
      denoise(request, options.watch, terminal, interrupts, canvas_of_hole, [&] {
        return daemon::checked_alternatives(model.model, request, syntax, options.alternatives);
      });
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!alternatives) return report(alternatives.error());
  if (const auto ok = check_shown(*alternatives); !ok) return report(ok.error());
  const AlternativesReport all = {.file = options.file,
                                  .text = request.text,
                                  .request = &request,
                                  .wanted = options.alternatives,
                                  .alternatives = *alternatives,
                                  .model = &model,
                                  .fill_seconds = seconds_since(fill_start),
                                  .total_seconds = seconds_since(start)};
  const Result<void> printed = write_output(options.common.json ? to_json(all) : to_text(all));
  return printed ? kDone : report(printed.error());
}

}  // namespace

std::string name_of_source(const std::string& file) {
  return file == "-" ? "standard input" : file;
}

engine::InfillRequest request_of(std::string_view text, const FillOptions& options) {
  engine::InfillRequest request;
  request.text = text;
  if (const Language* language = language_for(text, options); language != nullptr) {
    request.language = language->model_name;
    request.line_comment = language->line_comment;
  }
  request.options = infill_options(options);
  return request;
}

int fill_and_deliver(const FillOptions& options, const LoadedModel& model,
                     engine::InfillRequest& request, Terminal& terminal, Interrupts& interrupts,
                     Clock::time_point start) {
  daemon::SyntaxOptions syntax;
  if (!options.no_syntax && !request.options.exact) {
    syntax.grammar = grammar::grammar_of(language_for(request.text, options));
  }
  if (options.alternatives > 0) {
    return run_alternatives(options, request, syntax, model, terminal, interrupts, start);
  }
  std::vector<int> canvas_of_hole;
  const Result<daemon::CheckedInfill> checked =
      denoise(request, options.watch, terminal, interrupts, canvas_of_hole,
              [&] { return daemon::checked_infill(model.model, request, syntax); });
  if (interrupts.exit_code() != 0) return interrupts.exit_code();
  if (!checked) return report(checked.error());
  if (const auto ok = check_finished(request.text, request.holes, checked->result.fills); !ok) {
    return report(ok.error());
  }
  if (options.watch && terminal.can_draw() && syntax.grammar != nullptr)
    terminal.write(summary_of(*checked) + "\n", {});
  const FillReport fill_report = {.file = options.file,
                                  .written = options.write,
                                  .text = request.text,
                                  .request = &request,
                                  .checked = &*checked,
                                  .canvas_of_hole = canvas_of_hole,
                                  .model = &model,
                                  .total_seconds = seconds_since(start)};
  const Result<void> delivered = deliver(options, fill_report, interrupts);
  if (!delivered) return report(delivered.error());
  const Result<void> shown = check_shown(request.text, request.holes, *checked);
  return shown ? kDone : report(shown.error());
}

}  // namespace lacuna::cli
