// An editor for measurements: `lacuna lsp` as a process of its own, and a client that drives it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "lsp/framing.h"
#include "lsp/json_rpc.h"
#include "support/result.h"

namespace lacuna::cli {

// This program, started with other arguments. Ends with its owner.
class ChildProcess {
 public:
  // Unavailable when it cannot be started. Its standard error is thrown away.
  static Result<ChildProcess> start(const std::vector<std::string>& arguments);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) = delete;
  ChildProcess(const ChildProcess&) = delete;
  ~ChildProcess();

  int in = -1;   // its standard input
  int out = -1;  // and output
  pid_t id = -1;

 private:
  ChildProcess() = default;
};

class BenchEditor {
 public:
  // Through the daemon at a socket, set up as far as `initialized`.
  static Result<BenchEditor> start(const std::string& socket);

  void open(const std::string& uri, const std::string& text, std::string_view language = "python");
  void notify(std::string_view method, lsp::Json params);
  int request(std::string_view method, lsp::Json params);
  // A suggestion at a place.
  int complete(const std::string& uri, int line, int character);
  // Waits for the answer to a request, whatever else comes. Unavailable when the process ends.
  Result<lsp::Message> answer(int id);
  bool is_answered(int id) const { return answers_.contains(id); }
  Result<lsp::Message> call(std::string_view method, lsp::Json params);

  // For poll(): readable when there is something for read().
  int descriptor() const { return process_.out; }
  // Waits for bytes; the ids of the requests that they answer.
  Result<std::vector<int>> read();

 private:
  explicit BenchEditor(ChildProcess process) : process_(std::move(process)) {}
  void send(std::string_view body);

  ChildProcess process_;
  lsp::FrameReader frames_;
  std::map<int, lsp::Message> answers_;
  int last_id_ = 0;
};

}  // namespace lacuna::cli
