// Runs Python programs that nobody has read.
//
// Each is a process of its own: no network, no other process, no thread, no file that it could
// write (see sandbox_filter.h); an empty environment; standard input empty, outputs discarded;
// limits on memory, processor time, open files and wall clock, and killed past them. It can read
// what the user can, but has nowhere to take it. It cannot hide results from the next program
// either: the folder that it starts in is new and goes with it.
//
// This keeps mistakes and clumsy malice of a model's output away from the machine. It is not meant
// to hold a program that attacks the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna::cli {

struct SandboxLimits {
  double seconds = 3;  // wall clock, from the start of Python
  std::uint64_t memory_bytes = 1ULL << 30;
};

enum class Verdict : std::uint8_t {
  Passed,    // ran to its last line
  Failed,    // raised something, exited by itself, crashed, or ran out of memory
  TimedOut,  // killed
};

std::string_view name_of(Verdict verdict);  // "passed", "failed", "timed out"

struct RunOutcome {
  Verdict verdict;
  bool parses;     // compile() accepts `solution` alone
  double seconds;  // until the process was gone
};

class PythonSandbox {
 public:
  // Finds python3 through PATH, and runs a program. Unavailable when there is none or when this
  // machine cannot shut programs in: then nothing is ever run.
  static Result<PythonSandbox> open(const SandboxLimits& limits);

  // Runs `solution` and, in the same namespace and after it, `tests`. May be called from many
  // threads at once. Unavailable when no process or folder can be made.
  Result<RunOutcome> run(std::string_view solution, std::string_view tests) const;

 private:
  PythonSandbox(std::string python, const SandboxLimits& limits)
      : python_(std::move(python)), limits_(limits) {}

  std::string python_;  // the interpreter itself, no wrapper script
  SandboxLimits limits_;
};

}  // namespace lacuna::cli
