#include "cli/eval/sandbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "cli/eval/sandbox_child.h"
#include "cli/eval/sandbox_filter.h"

namespace lacuna::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Writes "c" to file 3 when the solution alone can be compiled, and "p" after the last line: an
// exit code could also come from an exit() in the middle. As in the published harness, the
// namespace starts empty, so __name__ is not "__main__".
constexpr const char* kDriver = R"(
import os
def run():
    with open("solution", "rb") as file: solution = file.read()
    with open("tests", "rb") as file: tests = file.read()
    try:
        compile(solution, "solution", "exec")
        os.write(3, b"c")
        exec(compile(solution + tests, "program", "exec"), {})
    except BaseException:
        os._exit(1)
    os.write(3, b"p")
    os._exit(0)
run()
)";

// Makes the shell script that version managers call python3 unnecessary: it could not run here.
constexpr const char* kFindInterpreter =
    "python3 -c 'import sys; sys.stdout.write(sys.executable)' 2>/dev/null";

std::string why(int error) { return std::generic_category().message(error); }

Error cannot(const std::string& what, int error) {
  return fail(ErrorCode::Unavailable, "cannot " + what + ": " + why(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return cannot("make a pipe", errno);
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// A new folder that goes with this object.
class ProgramFolder {
 public:
  static Result<ProgramFolder> make() {
    std::error_code error;
    fs::path base = fs::temp_directory_path(error);
    if (error) base = "/tmp";
    std::string path = (base / "lacuna-eval-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) {
      return cannot("make a folder in " + base.string(), errno);
    }
    return ProgramFolder(std::move(path));
  }
  ProgramFolder(ProgramFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ProgramFolder& operator=(ProgramFolder&&) = delete;
  ProgramFolder(const ProgramFolder&) = delete;
  ProgramFolder& operator=(const ProgramFolder&) = delete;
  ~ProgramFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  Result<void> write(const char* name, std::string_view content) const {
    std::ofstream file(path_ + "/" + name, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) return fail(ErrorCode::Unavailable, "cannot write a program to " + path_);
    return {};
  }

 private:
  explicit ProgramFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Reads until the end, a full buffer, or (of a pipe that does not block) all that is there.
std::size_t read_some(int fd, void* buffer, std::size_t size) {
  std::size_t total = 0;
  while (total < size) {
    const ssize_t got = ::read(fd, static_cast<char*>(buffer) + total, size - total);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    total += static_cast<std::size_t>(got);
  }
  return total;
}

// Waits for the process and takes its status away. Kills it when the time is over, or when there
// is no way to wait for it.
bool ended_in_time(pid_t pid, Clock::time_point deadline) {
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  bool ended = false;
  while (process.get() >= 0 && !ended) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left < 0) break;
    pollfd waiting = {process.get(), POLLIN, 0};
    ended = ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left + 1, 1 << 30))) > 0;
  }
  if (!ended) ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

Result<std::string> find_interpreter() {
  std::string path;
  // NOLINTNEXTLINE(cert-env33-c): a constant command, to search PATH as the user's shell does
  FILE* output = ::popen(kFindInterpreter, "re");
  if (output == nullptr) return cannot("run python3", errno);
  std::array<char, 4096> buffer;
  const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), output);
  ::pclose(output);
  path.assign(buffer.data(), got);
  if (path.empty() || path.front() != '/') {
    return fail(ErrorCode::Unavailable,
                "python3 was not found in PATH; tests of generated programs need it");
  }
  return path;
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Passed:
      return "passed";
    case Verdict::Failed:
      return "failed";
    case Verdict::TimedOut:
      return "timed out";
  }
  return "unknown";
}

Result<PythonSandbox> PythonSandbox::open(const SandboxLimits& limits) {
  if (sandbox_filter().empty()) {
    return fail(ErrorCode::Unavailable,
                "generated programs are only run shut in by seccomp, which Lacuna has for x86-64 "
                "and 64-bit ARM");
  }
  Result<std::string> python = find_interpreter();
  if (!python) return python.error();
  PythonSandbox sandbox(std::move(*python), limits);
  // Slow machines have time enough here; whether Python runs at all is the question.
  PythonSandbox patient(sandbox.python_, {.seconds = 60, .memory_bytes = limits.memory_bytes});
  const Result<RunOutcome> tried = patient.run("x = 1\n", "assert x == 1\n");
  if (!tried) return tried.error();
  if (tried->verdict != Verdict::Passed) {
    return fail(ErrorCode::Unavailable, sandbox.python_ +
                                            " does not run shut in: an empty program " +
                                            std::string(name_of(tried->verdict)));
  }
  return sandbox;
}

Result<RunOutcome> PythonSandbox::run(std::string_view solution, std::string_view tests) const {
  const Result<ProgramFolder> folder = ProgramFolder::make();
  if (!folder) return folder.error();
  if (const auto ok = folder->write("solution", solution); !ok) return ok.error();
  if (const auto ok = folder->write("tests", tests); !ok) return ok.error();
  Result<Pipe> report = make_pipe();
  if (!report) return report.error();
  Result<Pipe> status = make_pipe();
  if (!status) return status.error();
  const Descriptor null_file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null_file.get() < 0) return cannot("open /dev/null", errno);

  // The folder of the program is not searched for modules, nor that of the user's packages; the
  // seed of hashes is fixed so that sets have the same order in every run.
  std::string python = python_;
  std::array<std::string, 5> words = {"-s", "-S", "-B", "-c", kDriver};
  std::array<char*, 7> arguments = {python.data()};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i + 1] = words[i].data();
  std::array<std::string, 3> variables = {"PYTHONHASHSEED=0", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"};
  std::array<char*, 4> environment = {};
  for (std::size_t i = 0; i < variables.size(); ++i) environment[i] = variables[i].data();
  const std::span<const sock_filter> filter = sandbox_filter();
  const SandboxChild child = {
      .folder = folder->path().c_str(),
      .arguments = arguments.data(),
      .environment = environment.data(),
      .filter = {static_cast<unsigned short>(filter.size()),
                 const_cast<sock_filter*>(filter.data())},  // NOLINT: the kernel only reads it
      .memory_bytes = limits_.memory_bytes,
      .cpu_seconds = static_cast<std::uint64_t>(std::ceil(limits_.seconds)) + 1,
      .parent = ::getpid(),
      .null_file = null_file.get(),
      .report_pipe = report->write_end.get(),
      .status_pipe = status->write_end.get()};

  const pid_t pid = ::fork();
  if (pid == 0) run_sandbox_child(child);
  if (pid < 0) return cannot("start a process", errno);
  report->write_end.close();
  status->write_end.close();
  StartFailure failure = {};
  if (read_some(status->read_end.get(), &failure, sizeof failure) == sizeof failure) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return cannot(std::string(describe(failure.step)) + " for a generated program, so none is run",
                  failure.error);
  }
  const Clock::time_point begin = Clock::now();
  const auto time = std::chrono::duration<double>(limits_.seconds);
  const bool ended = ended_in_time(pid, begin + std::chrono::duration_cast<Clock::duration>(time));
  const std::chrono::duration<double> seconds = Clock::now() - begin;

  // The program is gone, and so are all writers of the pipe.
  std::array<char, 3> said;
  const std::string_view text(said.data(),
                              read_some(report->read_end.get(), said.data(), said.size()));
  const Verdict verdict = !ended         ? Verdict::TimedOut
                          : text == "cp" ? Verdict::Passed
                                         : Verdict::Failed;
  return RunOutcome{
      .verdict = verdict, .parses = text.substr(0, 1) == "c", .seconds = seconds.count()};
}

}  // namespace lacuna::cli
