// The child's side of the sandbox: from fork() to Python.
#pragma once

#include <cstdint>
#include <linux/filter.h>
#include <sys/types.h>

namespace lacuna::cli {

// Everything is made before fork(): other threads of the parent may hold locks, so that the child
// can only make system calls.
struct SandboxChild {
  const char* folder;  // to start in
  char* const* arguments;
  char* const* environment;
  sock_fprog filter;
  std::uint64_t memory_bytes;
  std::uint64_t cpu_seconds;
  pid_t parent;
  int null_file;    // /dev/null
  int report_pipe;  // becomes file 3 of the program
  int status_pipe;  // closed when Python has started, else gets a StartFailure
};

enum class StartStep : std::uint8_t { Files, Folder, Limits, Parent, Filter, Python };

struct StartFailure {
  StartStep step;
  int error;
};

// Never returns.
[[noreturn]] void run_sandbox_child(const SandboxChild& child);

// What could not be done: "install the seccomp filter".
const char* describe(StartStep step);

}  // namespace lacuna::cli
