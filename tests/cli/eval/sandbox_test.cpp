// Hostile programs. Where a program itself finds out whether something was refused, it passes when
// it was: had it not been, the assertion in it (or this test, which it attacked) would fail.
#include "cli/eval/sandbox.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/helpers/temporary_folder.h"

namespace lacuna::cli {
namespace {

// Long enough for a slow machine: only what waits for ever may run out of it.
constexpr SandboxLimits kPatient = {.seconds = 60};
constexpr SandboxLimits kHasty = {.seconds = 1};

const PythonSandbox& opened(const SandboxLimits& limits) {
  static std::map<double, PythonSandbox> sandboxes;
  const auto found = sandboxes.find(limits.seconds);
  if (found != sandboxes.end()) return found->second;
  Result<PythonSandbox> sandbox = PythonSandbox::open(limits);
  if (!sandbox) throw std::runtime_error(sandbox.error().message);
  return sandboxes.emplace(limits.seconds, std::move(*sandbox)).first->second;
}

RunOutcome run(const std::string& solution, const std::string& tests = "",
               const SandboxLimits& limits = kPatient) {
  const Result<RunOutcome> outcome = opened(limits).run(solution, tests);
  if (!outcome) throw std::runtime_error(outcome.error().message);
  return *outcome;
}

void passes(const std::string& program) {
  EXPECT_EQ(run(program).verdict, Verdict::Passed) << program;
}

// `attempt` is an expression; the error number is EPERM where nothing else is said.
void refuses(const std::string& attempt) {
  passes(
      "import ctypes, errno, fcntl, os, socket\n"
      "try:\n"
      "    " +
      attempt +
      "\n"
      "except OSError as error:\n"
      "    assert error.errno == errno.EPERM, error\n"
      "else:\n"
      "    assert False\n");
}

// As refuses(), for a raw system call: a number and arguments.
void refuses_call(const std::string& call) {
  passes(
      "import ctypes, errno\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "assert libc.syscall(" +
      call +
      ") == -1\n"
      "assert ctypes.get_errno() == errno.EPERM, ctypes.get_errno()\n");
}

TEST(Sandbox, RunsSolutionAndTestsInOneNamespace) {
  const RunOutcome right = run("def f(x):\n    return x + 1\n", "assert f(1) == 2\n");
  EXPECT_EQ(right.verdict, Verdict::Passed);
  EXPECT_TRUE(right.parses);
  const RunOutcome wrong = run("def f(x):\n    return x\n", "assert f(1) == 2\n");
  EXPECT_EQ(wrong.verdict, Verdict::Failed);
  EXPECT_TRUE(wrong.parses);
}

TEST(Sandbox, SaysWhetherTheSolutionAloneParses) {
  EXPECT_FALSE(run("def f(:\n").parses);
  EXPECT_FALSE(run("x = 'open\n").parses);
  EXPECT_FALSE(run(std::string("x = 1\0\n", 7)).parses);
  EXPECT_FALSE(run("x = '''never closed\n", "'''\n").parses);
  const RunOutcome tests_are_wrong = run("x = 1\n", "def (\n");
  EXPECT_TRUE(tests_are_wrong.parses);
  EXPECT_EQ(tests_are_wrong.verdict, Verdict::Failed);
}

TEST(Sandbox, PassingMeansReachingTheLastLine) {
  for (const char* program :
       {"exit(0)", "import sys; sys.exit(0)", "import os; os._exit(0)", "raise SystemExit",
        "raise KeyboardInterrupt", "import os; os.execv('/bin/true', ['true'])"}) {
    EXPECT_EQ(run(std::string(program) + "\n", "assert False\n").verdict, Verdict::Failed)
        << program;
  }
}

TEST(Sandbox, HasThePublishedNamespace) { passes("assert __name__ == 'builtins'\n"); }

TEST(Sandbox, IsRepeatable) {
  // Hashes of strings decide the order of sets.
  passes("import sys; assert sys.flags.hash_randomization == 0\n");
}

TEST(Sandbox, KillsWhatTakesTooLong) {
  for (const char* program : {"while True: pass", "import time; time.sleep(1000)",
                              "import os; os.closerange(0, 32)\nwhile True: pass",
                              "import os\nwhile True: os.write(3, b'x' * 65536)",
                              "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                              "while True: pass"}) {
    EXPECT_EQ(run(program, "", kHasty).verdict, Verdict::TimedOut) << program;
  }
}

TEST(Sandbox, BoundsMemory) {
  EXPECT_EQ(run("x = bytearray(1 << 34)\n").verdict, Verdict::Failed);
  EXPECT_EQ(run("x = []\nwhile True: x.append(bytearray(1 << 20))\n").verdict, Verdict::Failed);
  passes("try:\n    bytearray(1 << 34)\nexcept MemoryError: pass\nelse: assert False\n");
}

TEST(Sandbox, SurvivesACrash) {
  EXPECT_EQ(run("import ctypes\nctypes.string_at(0)\n").verdict, Verdict::Failed);
  // Through C at every level: it overflows the stack at once instead of filling the memory.
  EXPECT_EQ(run("import sys\nsys.setrecursionlimit(10**9)\n"
                "class A:\n  def __repr__(self): return repr(self)\nrepr(A())\n")
                .verdict,
            Verdict::Failed);
}

TEST(Sandbox, DiscardsGigabytesOfOutput) {
  passes("import os\nfor i in range(4096): os.write(1 + i % 2, b'x' * (1 << 20))\n");
}

TEST(Sandbox, HasNothingOnStandardInput) {
  passes("import sys; assert sys.stdin.read() == ''\n");
  EXPECT_EQ(run("input()\n").verdict, Verdict::Failed);
}

TEST(Sandbox, HasNoNetwork) {
  refuses("socket.socket()");
  refuses("socket.socket(socket.AF_UNIX)");
  refuses("socket.create_connection(('127.0.0.1', 80))");
  refuses_call("425, 8, 0");  // io_uring_setup
}

TEST(Sandbox, HasNoOtherProcessAndNoThread) {
  refuses("os.fork()");
  refuses("os.posix_spawn('/bin/true', ['true'], {})");
  refuses("os.system('true') == 0 or os.fork()");
  EXPECT_EQ(run("import os\nwhile True: os.fork()\n").verdict, Verdict::Failed);
  EXPECT_EQ(run("import subprocess\nsubprocess.run(['true'])\n").verdict, Verdict::Failed);
  EXPECT_EQ(run("import threading\nthreading.Thread(target=print).start()\n").verdict,
            Verdict::Failed);
}

TEST(Sandbox, LeavesNoDaemonBehind) {
  // The classic double fork; were it allowed, the daemon would hold file 3 open for ever and run()
  // would not return.
  EXPECT_EQ(run("import os, time\n"
                "if os.fork() == 0:\n"
                "    os.setsid()\n"
                "    if os.fork() == 0: time.sleep(1000)\n"
                "    os._exit(0)\n",
                "", kHasty)
                .verdict,
            Verdict::Failed);
}

TEST(Sandbox, CannotReachItsParent) {
  refuses("os.kill(os.getppid(), 9)");
  refuses("os.kill(-1, 0)");
  refuses("os.pidfd_open(os.getppid())");
  refuses("os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)");
  refuses("open(f'/proc/{os.getppid()}/mem', 'r+b')");
  refuses("fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())");
  passes(
      "import os, resource\n"
      "try: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))\n"
      "except PermissionError: pass\n"
      "else: assert False\n"
      "resource.prlimit(0, resource.RLIMIT_CPU)\n");
#ifdef __x86_64__
  refuses_call("157, 1, 0");  // prctl(PR_SET_PDEATHSIG, 0): would outlive a killed parent
  refuses_call("101, 0");     // ptrace(PTRACE_TRACEME)
#endif
}

TEST(Sandbox, WritesNoFile) {
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "file").string();
  std::ofstream(path) << "kept";
  const std::string name = "'" + path + "'";
  refuses("open('huge', 'wb')");
  refuses("open(" + name + ", 'wb')");
  refuses("open(" + name + ", 'r+b')");
  refuses("open('/dev/shm/lacuna', 'wb')");
  refuses("os.open('/tmp', os.O_TMPFILE | os.O_RDWR)");
  refuses("os.remove(" + name + ")");
  refuses("os.rename(" + name + ", 'x')");
  refuses("os.truncate(" + name + ", 0)");
  refuses("os.chmod(" + name + ", 0)");
  refuses("os.utime(" + name + ")");
  refuses("os.symlink('a', 'b')");
  refuses("os.link(" + name + ", 'b')");
  refuses("os.mkdir('a')");
  refuses("os.rmdir('.')");
  refuses("os.mkfifo('a')");
  refuses("os.setxattr(" + name + ", 'user.a', b'b')");
  refuses("os.memfd_create('a')");
  passes("assert open(" + name + ").read() == 'kept'\n");
  EXPECT_EQ(run("import shutil\nshutil.rmtree('" + folder.path().string() + "')\n").verdict,
            Verdict::Failed);
  std::ifstream file(path);
  std::string content;
  file >> content;
  EXPECT_EQ(content, "kept");
}

TEST(Sandbox, RefusesSystemCallsNewerThanItself) {
  refuses_call("451, 0, 0");
  refuses_call("467, 0, 0");
#ifdef __x86_64__
  refuses_call("0x40000029, 2, 1, 0");  // socket as x32 knows it
#endif
}

TEST(Sandbox, SeesNothingOfItsCaller) {
  ::setenv("LACUNA_TEST_SECRET", "secret", 1);  // NOLINT(concurrency-mt-unsafe): one thread
  passes(
      "import os\n"
      "assert set(os.environ) <= {'PATH', 'LANG', 'PYTHONHASHSEED', 'LC_CTYPE'}, os.environ\n");
  const auto here = std::filesystem::current_path().string();
  passes(
      "import os, sys\n"
      "assert os.getcwd() != '" +
      here +
      "'\n"
      "assert sorted(os.listdir('.')) == ['solution', 'tests']\n");
  // Besides the standard ones the report pipe, and what listdir() itself has open.
  const int leaked = ::dup(2);  // not close-on-exec
  passes("import os\nassert len(os.listdir('/proc/self/fd')) == 5\n");
  ::close(leaked);
}

TEST(Sandbox, CleansUpAfterItself) {
  const test::TemporaryFolder folder;
  ::setenv("TMPDIR", folder.path().c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
  run("x = 1\n");
  run("while True: pass\n", "", kHasty);
  ::unsetenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): one thread
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Sandbox, RunsManyAtOnce) {
  const auto sandbox = PythonSandbox::open(kPatient);
  ASSERT_TRUE(sandbox.has_value());
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&sandbox, i] {
      for (int j = 0; j < 6; ++j) {
        const bool right = (i + j) % 2 == 0;
        const auto outcome = sandbox->run("x = 1\n", right ? "assert x == 1\n" : "assert x == 2\n");
        ASSERT_TRUE(outcome.has_value());
        EXPECT_EQ(outcome->verdict, right ? Verdict::Passed : Verdict::Failed);
      }
    });
  }
}

TEST(Sandbox, IsUnavailableWithoutPython) {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): one thread
  const std::string before = path == nullptr ? "" : path;
  const test::TemporaryFolder empty;
  ::setenv("PATH", empty.path().c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
  const auto sandbox = PythonSandbox::open(kPatient);
  ::setenv("PATH", before.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
  ASSERT_FALSE(sandbox.has_value());
  EXPECT_EQ(sandbox.error().code, ErrorCode::Unavailable);
  EXPECT_NE(sandbox.error().message.find("python3"), std::string::npos);
}

TEST(Sandbox, RunsNothingItCannotShutIn) {
  const auto sandbox = PythonSandbox::open({.seconds = 5, .memory_bytes = 1 << 20});
  ASSERT_FALSE(sandbox.has_value());
  EXPECT_EQ(sandbox.error().code, ErrorCode::Unavailable);
}

}  // namespace
}  // namespace lacuna::cli
