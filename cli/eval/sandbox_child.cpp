#include "cli/eval/sandbox_child.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lacuna::cli {
namespace {

constexpr int kReportFile = 3;
constexpr int kStatusFile = 4;
constexpr int kAboveAll = 16;  // numbers from here on are not those that are given out below
constexpr rlim_t kOpenFiles = 32;

// The program's files are 0 to 3, and 4 until it runs; everything else is closed.
bool set_up_files(SandboxChild& child) {
  child.status_pipe = ::fcntl(child.status_pipe, F_DUPFD_CLOEXEC, kAboveAll);
  const int report = ::fcntl(child.report_pipe, F_DUPFD_CLOEXEC, kAboveAll);
  if (child.status_pipe < 0 || report < 0) return false;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(child.null_file, fd) < 0) return false;
  }
  if (::dup2(report, kReportFile) < 0) return false;
  if (::dup3(child.status_pipe, kStatusFile, O_CLOEXEC) < 0) return false;
  child.status_pipe = kStatusFile;
  return ::syscall(SYS_close_range, kStatusFile + 1, ~0U, 0) == 0;
}

bool limit(decltype(RLIMIT_AS) what, rlim_t amount) {
  const rlimit both = {amount, amount};
  return ::setrlimit(what, &both) == 0;
}

// Not RLIMIT_NPROC: it counts all processes of the user and does not bind root. The filter
// forbids new processes instead.
bool set_limits(const SandboxChild& child) {
  return limit(RLIMIT_AS, child.memory_bytes) && limit(RLIMIT_CPU, child.cpu_seconds) &&
         limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, kOpenFiles) && limit(RLIMIT_CORE, 0);
}

bool die_with_parent(const SandboxChild& child) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return false;
  return ::getppid() == child.parent;  // it may have died before
}

bool install_filter(const SandboxChild& child) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &child.filter, 0, 0) == 0;
}

void unblock_signals() {
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

// The step that failed.
StartStep start(SandboxChild& child) {
  ::setsid();  // no terminal to read or to type into
  unblock_signals();
  if (!set_up_files(child)) return StartStep::Files;
  if (::chdir(child.folder) != 0) return StartStep::Folder;
  if (!set_limits(child)) return StartStep::Limits;
  if (!die_with_parent(child)) return StartStep::Parent;
  if (!install_filter(child)) return StartStep::Filter;
  ::execve(child.arguments[0], child.arguments, child.environment);
  return StartStep::Python;
}

}  // namespace

void run_sandbox_child(const SandboxChild& child) {
  SandboxChild own = child;
  const StartStep failed = start(own);
  const StartFailure failure = {failed, errno};
  [[maybe_unused]] const ssize_t written = ::write(own.status_pipe, &failure, sizeof failure);
  ::_exit(127);
}

const char* describe(StartStep step) {
  switch (step) {
    case StartStep::Files:
      return "set up its files";
    case StartStep::Folder:
      return "enter its folder";
    case StartStep::Limits:
      return "set its limits";
    case StartStep::Parent:
      return "make it die with Lacuna";
    case StartStep::Filter:
      return "install the seccomp filter";
    case StartStep::Python:
      return "start Python";
  }
  return "start it";
}

}  // namespace lacuna::cli
