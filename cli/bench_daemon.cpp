#include "cli/bench_daemon.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <poll.h>
#include <sstream>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/bench_editor.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/interrupts.h"
#include "cli/option_checks.h"
#include "cli/standard_io.h"
#include "daemon/runtime_paths.h"
#include "lsp/protocol.h"
#include "support/file.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr int kRequestsOfRun = 100;
constexpr int kChangesOfRun = 100;
constexpr int kLinesOfLongFile = 10000;
constexpr int kNeighbours = 20;
constexpr std::size_t kBytesOfNeighbour = 64 << 10;
constexpr int kEditors = 8;
constexpr int kSuggestionsOfEditor = 5;
constexpr std::chrono::seconds kStartLimit(30);

constexpr const char* kDescription =
    "What the daemon adds to the time of the model, measured with editors that are processes of "
    "their own: a request that needs no model, a change of a file of 10,000 lines, initialize, a "
    "question behind a request that looks for context in 20 files, the time from a cancel until the "
    "engine is idle, and 8 editors at once against one. A daemon of its own is started for it, with "
    "the settings of this user.";

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Of all threads of a process, until now: what a busy machine does not change much.
double processor_seconds(pid_t process) {
  const Result<std::string> stat =
      read_file("/proc/" + std::to_string(process) + "/stat", std::uint64_t{1} << 16);
  if (!stat) return 0;
  // After the name, which may have anything in it: the state, ten numbers, and then the times.
  std::istringstream fields(stat->substr(stat->rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Times in ms.
struct Sample {
  std::string name;
  std::vector<double> times;
  double goal = 0;      // of the median; 0: none
  double p99_goal = 0;  // of the 99th percentile; 0: none

  // The time that a share of them does not exceed.
  double quantile(double share) const {
    std::vector<double> sorted = times;
    std::sort(sorted.begin(), sorted.end());
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
  }
};

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "lacuna_bench_XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::string socket() const { return (path_ / "daemon.sock").string(); }
  bool is_there() const { return !path_.empty(); }

 private:
  std::filesystem::path path_;
};

Result<ChildProcess> start_daemon(const BenchDaemonOptions& options, const std::string& socket) {
  std::vector<std::string> arguments = {"serve", "--socket", socket};
  // What is computed ahead would be measured as the work of the next request.
  arguments.insert(arguments.end(), {"--set", "inlineCompletion.speculate=false"});
  const CommonOptions& common = options.common;
  if (!common.model.empty()) arguments.insert(arguments.end(), {"--model", common.model});
  if (common.threads != 0) {
    arguments.insert(arguments.end(), {"--threads", std::to_string(common.threads)});
  }
  Result<ChildProcess> daemon = ChildProcess::start(arguments);
  if (!daemon) return daemon;
  const auto deadline = Clock::now() + kStartLimit;
  while (Clock::now() < deadline) {
    if (const Result<int> connected = daemon::connect_to(socket)) {
      close(*connected);
      return daemon;
    }
    poll(nullptr, 0, 10);  // there is nothing to wait on: the socket does not exist yet
  }
  return fail(ErrorCode::Unavailable, "the daemon does not start; see `lacuna serve`");
}

// A file in which every line is a place for a suggestion.
std::string source_file(int lines, const std::string& name) {
  std::string text;
  for (int i = 0; i < lines; ++i) {
    const std::string value = name + "_" + std::to_string(i);
    text += value + " = compute(" + std::to_string(i) + ", previous=" + name + ")\n";
  }
  return text;
}

// The same request over and over: from the second one on it is answered from the cache.
Result<Sample> time_requests(const BenchDaemonOptions& options, const std::string& socket) {
  Sample sample{.name = "request without the model", .times = {}, .goal = 0.3, .p99_goal = 1};
  Result<BenchEditor> editor = BenchEditor::start(socket);
  if (!editor) return editor.error();
  editor->open("file:///w/a.py", source_file(40, "value"));
  if (const auto first = editor->answer(editor->complete("file:///w/a.py", 20, 11)); !first) {
    return first.error();
  }
  for (int i = 0; i < options.runs * kRequestsOfRun; ++i) {
    const auto start = Clock::now();
    const auto answer = editor->answer(editor->complete("file:///w/a.py", 20, 11));
    if (!answer) return answer.error();
    sample.times.push_back(ms_since(start));
  }
  const auto why = editor->call("workspace/executeCommand", {{"command", "lacuna.explainLast"}});
  if (!why) return why.error();
  if (lsp::string_or(why->result, "source", "") != "cache") {
    return fail(ErrorCode::Unavailable, "suggestions are not answered from the cache: " +
                                            lsp::string_or(why->result, "outcome", "") +
                                            "; see `lacuna doctor` for the settings");
  }
  return sample;
}

// A change has no answer: many of them, and a request that is answered after them.
Result<Sample> time_changes(const BenchDaemonOptions& options, const std::string& socket) {
  Sample sample{.name = "didChange, 10,000 lines", .times = {}, .goal = 0.2};
  Result<BenchEditor> editor = BenchEditor::start(socket);
  if (!editor) return editor.error();
  editor->open("file:///w/long.py", source_file(kLinesOfLongFile, "value"));
  if (const auto ready = editor->call("lacuna/status", nullptr); !ready) return ready.error();
  unsigned place = 1;
  int version = 1;
  for (int run = 0; run < options.runs; ++run) {
    const auto start = Clock::now();
    for (int i = 0; i < kChangesOfRun; ++i) {
      place = place * 1664525U + 1013904223U;  // any line, always the same ones
      const lsp::Json at = {{"line", place % kLinesOfLongFile}, {"character", 3}};
      editor->notify(
          "textDocument/didChange",
          {{"textDocument", {{"uri", "file:///w/long.py"}, {"version", ++version}}},
           {"contentChanges", {{{"range", {{"start", at}, {"end", at}}}, {"text", "x"}}}}});
    }
    if (const auto done = editor->call("lacuna/status", nullptr); !done) return done.error();
    sample.times.push_back(ms_since(start) / kChangesOfRun);
  }
  return sample;
}

Result<Sample> time_initialize(const BenchDaemonOptions& options, const std::string& socket) {
  Sample sample{.name = "process start and initialize", .times = {}, .goal = 50};
  for (int run = 0; run < options.runs; ++run) {
    const auto start = Clock::now();
    const Result<BenchEditor> editor = BenchEditor::start(socket);
    if (!editor) return editor.error();
    sample.times.push_back(ms_since(start));
  }
  return sample;
}

// A question that comes right behind a request for a suggestion, in a folder with other files: the
// context for the suggestion is chosen before it is answered.
Result<Sample> time_context(const BenchDaemonOptions& options, const Folder& folder) {
  Sample sample{.name = "question behind a request, 20 files", .times = {}};
  const std::filesystem::path files = folder.path() / "files";
  std::error_code failed;
  std::filesystem::create_directory(files, failed);
  for (int i = 0; i < kNeighbours; ++i) {
    const std::string name = "neighbour" + std::to_string(i);
    std::string text = source_file(3000, name);
    text.resize(kBytesOfNeighbour);
    const auto written = write_file((files / (name + ".py")).string(), text);
    if (!written) return written.error();
  }
  Result<BenchEditor> editor = BenchEditor::start(folder.socket());
  if (!editor) return editor.error();
  // Only in a folder of the workspace the files beside a document are context.
  editor->notify("workspace/didChangeWorkspaceFolders",
                 {{"event",
                   {{"added", {{{"uri", "file://" + files.string()}, {"name", "files"}}}},
                    {"removed", lsp::Json::array()}}}});
  const std::string uri = "file://" + (files / "main.py").string();
  editor->open(uri, source_file(2 * options.runs + 40, "neighbour1"));
  // Not counted: it is what has the folder read.
  if (const auto first = editor->answer(editor->complete(uri, 0, 10)); !first) return first.error();
  for (int run = 0; run < options.runs; ++run) {
    // As after a key, so that nothing that is known of the document holds any more.
    const lsp::Json at = {{"line", 2 * run + 20}, {"character", 10}};
    editor->notify(
        "textDocument/didChange",
        {{"textDocument", {{"uri", uri}, {"version", run + 2}}},
         {"contentChanges", {{{"range", {{"start", at}, {"end", at}}}, {"text", "x"}}}}});
    const auto start = Clock::now();
    const int asked = editor->complete(uri, 2 * run + 20, 11);
    if (const auto status = editor->call("lacuna/status", nullptr); !status) return status.error();
    sample.times.push_back(ms_since(start));
    editor->notify("$/cancelRequest", {{"id", asked}});
    if (const auto answer = editor->answer(asked); !answer) return answer.error();
  }
  return sample;
}

// A fill that is cancelled some time after it began.
struct CancelCase {
  std::string name;
  std::string text;  // with the hole
  int from_ms, to_ms;
  int runs;
};

std::vector<CancelCase> cancel_cases(int runs) {
  const std::string file = source_file(40, "value");
  const std::string fixed = file + "\u27E6?256\u27E7\n";
  const std::string probed = file + "\u27E6?\u27E7\n";
  return {{"256 tokens, first passes", fixed, 5, 25, runs},
          {"256 tokens, later", fixed, 100, 500, runs},
          {"length looked for, first passes", probed, 5, 25, runs},
          {"length looked for, later", probed, 100, 500, runs},
          {"in 8,000 lines", source_file(8000, "value") + probed, 5, 500, (runs + 1) / 2}};
}

Result<int> orders_running(BenchEditor& editor) {
  const auto status = editor.call("lacuna/status", nullptr);
  if (!status) return status.error();
  const lsp::Json* queue = lsp::member(status->result, "queue");
  return queue == nullptr ? 0 : queue->value("running", 0);
}

// No times where every fill was ready before it could be cancelled.
Result<Sample> time_cancel(const CancelCase& wanted, const std::string& socket) {
  Sample sample{.name = "cancel until idle, " + wanted.name, .times = {}};
  Result<BenchEditor> editor = BenchEditor::start(socket);
  if (!editor) return editor.error();
  editor->open("file:///w/hole.py", wanted.text);
  for (int run = 0; run < 4 * wanted.runs; ++run) {
    if (static_cast<int>(sample.times.size()) == wanted.runs) break;
    const int id =
        editor->request("lacuna/fill", {{"textDocument", {{"uri", "file:///w/hole.py"}}}});
    for (;;) {
      const Result<int> running = orders_running(*editor);
      if (!running) return running.error();
      if (*running == 1 || editor->is_answered(id)) break;
    }
    // Anywhere in a step: the times are spread over the range in an order that is always the same.
    poll(nullptr, 0, wanted.from_ms + 37 * run % (wanted.to_ms - wanted.from_ms + 1));
    const auto start = Clock::now();
    editor->notify("$/cancelRequest", {{"id", id}});
    for (;;) {
      const Result<int> running = orders_running(*editor);
      if (!running) return running.error();
      if (*running == 0) break;
    }
    const double time = ms_since(start);
    const auto answer = editor->answer(id);
    if (!answer) return answer.error();
    // One that was ready before its cancel came says nothing.
    if (!answer->error.is_null()) sample.times.push_back(time);
  }
  return sample;
}

// Suggestions by the model, for all editors at once; each asks again when it has its answer.
Result<Sample> time_editors(int count, const std::string& socket, int& shown) {
  Sample sample{.name = std::to_string(count) + (count == 1 ? " editor" : " editors at once") +
                        ", a suggestion each",
                .times = {}};
  std::vector<BenchEditor> editors;
  std::vector<pollfd> polled;
  std::vector<int> asked(static_cast<std::size_t>(count), 0);
  std::vector<Clock::time_point> since(static_cast<std::size_t>(count));
  const std::string uri = "file:///w/own.py";
  for (int i = 0; i < count; ++i) {
    Result<BenchEditor> editor = BenchEditor::start(socket);
    if (!editor) return editor.error();
    editor->open(uri, source_file(40, "editor" + std::to_string(i)));
    polled.push_back({.fd = editor->descriptor(), .events = POLLIN, .revents = 0});
    editors.push_back(std::move(*editor));
  }
  const auto ask = [&](std::size_t i) {
    since[i] = Clock::now();
    editors[i].complete(uri, 3 * ++asked[i], 12);
  };
  for (std::size_t i = 0; i < editors.size(); ++i) ask(i);
  const auto wanted = static_cast<std::size_t>(count) * kSuggestionsOfEditor;
  while (sample.times.size() < wanted) {
    poll(polled.data(), polled.size(), -1);
    for (std::size_t i = 0; i < editors.size(); ++i) {
      if (polled[i].revents == 0) continue;
      const auto ids = editors[i].read();
      if (!ids) return ids.error();
      for (const int id : *ids) {
        sample.times.push_back(ms_since(since[i]));
        const auto answer = editors[i].answer(id);
        if (answer && !answer->result.is_null()) ++shown;
        if (asked[i] < kSuggestionsOfEditor) ask(i);
      }
    }
  }
  return sample;
}

Json sample_json(const Sample& sample) {
  Json json = {{"name", sample.name},
               {"samples", sample.times.size()},
               {"median_ms", sample.quantile(0.5)},
               {"p99_ms", sample.quantile(0.99)},
               {"worst_ms", sample.quantile(1)}};
  if (sample.goal > 0) json["goal_ms"] = sample.goal;
  if (sample.p99_goal > 0) json["p99_goal_ms"] = sample.p99_goal;
  return json;
}

std::string cells(const std::vector<std::string>& row) {
  std::string line = pad_right(row[0], 52);
  for (std::size_t i = 1; i < row.size(); ++i) line += pad_left(row[i], 11);
  return line + "\n";
}

std::string goals_of(const Json& sample) {
  std::string goals;
  if (sample.contains("goal_ms")) goals = fixed(sample["goal_ms"].get<double>(), 1);
  if (sample.contains("p99_goal_ms")) goals += ", " + fixed(sample["p99_goal_ms"].get<double>(), 1);
  return goals;
}

std::string as_text(const Json& result) {
  std::string text = cells({"ms", "times", "median", "99 %", "worst", "goal"});
  for (const Json& sample : result["times"]) {
    text += cells({sample["name"].get<std::string>(), sample["samples"].dump(),
                   fixed(sample["median_ms"].get<double>(), 3),
                   fixed(sample["p99_ms"].get<double>(), 3),
                   fixed(sample["worst_ms"].get<double>(), 3), goals_of(sample)});
  }
  for (const Json& editors : result["editors"]) {
    text += editors["count"].dump() + (editors["count"] == 1 ? " editor: " : " editors: ") +
            editors["suggestions"].dump() + " suggestions, " + editors["shown"].dump() +
            " shown, " + fixed(editors["per_second"].get<double>(), 2) + " a second, " +
            fixed(editors["processor_ms"].get<double>(), 0) +
            " ms of the daemon's processor time each\n";
  }
  return text;
}

Result<Json> measure(const BenchDaemonOptions& options, Terminal& terminal) {
  const Folder folder;
  if (!folder.is_there()) return fail(ErrorCode::Unavailable, "no temporary folder can be made");
  const std::string socket = folder.socket();
  const Result<ChildProcess> daemon = start_daemon(options, socket);
  if (!daemon) return daemon.error();
  const Notice notice(&terminal, "measuring the daemon ...");
  Json times = Json::array();
  // The first one loads the model for all that follow.
  for (const auto& measured : {time_requests, time_changes, time_initialize}) {
    const Result<Sample> sample = measured(options, socket);
    if (!sample) return sample.error();
    times.push_back(sample_json(*sample));
  }
  const Result<Sample> context = time_context(options, folder);
  if (!context) return context.error();
  times.push_back(sample_json(*context));
  for (const CancelCase& wanted : cancel_cases(options.runs)) {
    const Result<Sample> sample = time_cancel(wanted, socket);
    if (!sample) return sample.error();
    if (!sample->times.empty()) times.push_back(sample_json(*sample));
  }
  Json editors = Json::array();
  for (const int count : {1, kEditors}) {
    const double before = processor_seconds(daemon->id);
    const auto start = Clock::now();
    int shown = 0;
    const Result<Sample> sample = time_editors(count, socket, shown);
    if (!sample) return sample.error();
    const double seconds = ms_since(start) / 1000;
    times.push_back(sample_json(*sample));
    const double used = processor_seconds(daemon->id) - before;
    editors.push_back({{"count", count},
                       {"suggestions", sample->times.size()},
                       {"shown", shown},
                       {"per_second", static_cast<double>(sample->times.size()) / seconds},
                       {"processor_ms", 1000 * used / static_cast<double>(sample->times.size())}});
  }
  return Json{{"runs", options.runs}, {"times", std::move(times)}, {"editors", std::move(editors)}};
}

}  // namespace

int run_bench_daemon(const BenchDaemonOptions& options) {
  Terminal terminal(STDERR_FILENO);
  const Interrupts interrupts(terminal);
  const Result<Json> result = measure(options, terminal);
  if (!result) return report(result.error());
  const Result<void> written =
      write_output(options.common.json ? result->dump(2) + "\n" : as_text(*result));
  return written ? kDone : report(written.error());
}

CLI::App* add_bench_daemon(CLI::App& bench, const std::shared_ptr<BenchDaemonOptions>& options) {
  CLI::App* app = bench.add_subcommand("daemon", kDescription);
  app->add_option("--runs", options->runs, "Measured runs of each (default 20)")
      ->type_name("N")
      ->check(whole_number(1, 1000));
  app->add_option("--threads", options->common.threads, "CPU threads (default: all that may run)")
      ->type_name("N")
      ->check(whole_number(1, 1024));
  add_json_option(*app, options->common, "Print JSON");
  add_model_option(*app, options->common);
  return app;
}

}  // namespace lacuna::cli
