#include "daemon/runtime_paths.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace lacuna::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStartLimit(10);
constexpr off_t kMaxLog = 4 << 20;

std::string value_of(const Variable& variable, const char* name) {
  const char* found = variable(name);
  return found == nullptr ? "" : found;
}

std::string reason(int error) { return std::generic_category().message(error); }

Result<sockaddr_un> address_of(const fs::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = socket.string();
  if (text.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::InvalidInput, "the path of a socket may have " +
                                             std::to_string(sizeof(address.sun_path) - 1) +
                                             " bytes, " + text + " has more");
  }
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

int new_socket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

// In the grandchild of a fork: becomes `arguments`, or ends.
[[noreturn]] void become(std::vector<char*>& arguments, int null, int log) {
  setsid();
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(arguments[0], arguments.data());
  _exit(127);
}

// Starts a process that is nobody's child.
Result<void> start(const std::vector<std::string>& command, const fs::path& log) {
  std::vector<std::string> copies = command;
  std::vector<char*> arguments;
  arguments.reserve(copies.size() + 1);
  for (std::string& copy : copies) arguments.push_back(copy.data());
  arguments.push_back(nullptr);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat info{};
  if (out >= 0 && fstat(out, &info) == 0 && info.st_size > kMaxLog) (void)ftruncate(out, 0);
  if (out < 0) out = dup(null);
  const pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) become(arguments, null, out);
    _exit(0);
  }
  close(null);
  close(out);
  if (child < 0) return fail(ErrorCode::Unavailable, "no process can be started: " + reason(errno));
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

}  // namespace

Result<fs::path> runtime_folder(const Variable& variable) {
  const std::string runtime = value_of(variable, "XDG_RUNTIME_DIR");
  const fs::path folder = runtime.empty() ? fs::path("/tmp/lacuna-" + std::to_string(getuid()))
                                          : fs::path(runtime) / "lacuna";
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(ErrorCode::Unavailable,
                "the folder " + folder.string() + " cannot be made: " + reason(errno));
  }
  struct stat info{};
  if (lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != getuid() ||
      (info.st_mode & 077) != 0) {
    return fail(ErrorCode::Unavailable, folder.string() +
                                            " is not a folder that only you may enter; remove it, "
                                            "or set XDG_RUNTIME_DIR");
  }
  return folder;
}

fs::path socket_in(const fs::path& folder, const std::string& version) {
  return folder / ("daemon-" + version + ".sock");
}

fs::path log_file(const Variable& variable) {
  fs::path state = value_of(variable, "XDG_STATE_HOME");
  if (state.empty()) state = fs::path(value_of(variable, "HOME")) / ".local/state";
  std::error_code ignored;
  fs::create_directories(state / "lacuna", ignored);
  return state / "lacuna/daemon.log";
}

Result<FileLock> FileLock::take(const fs::path& path, bool wait) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(ErrorCode::Unavailable, path.string() + " cannot be made: " + reason(errno));
  }
  while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
    if (errno == EINTR) continue;
    close(fd);
    return fail(ErrorCode::NotFound, "another process holds " + path.string());
  }
  return FileLock(fd);
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

Result<int> connect_to(const fs::path& socket) {
  const Result<sockaddr_un> address = address_of(socket);
  if (!address) return address.error();
  const int fd = new_socket();
  if (connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0) return fd;
  const int error = errno;
  close(fd);
  return fail(ErrorCode::NotFound,
              "no daemon listens at " + socket.string() + ": " + reason(error));
}

Result<int> listen_at(const fs::path& socket) {
  const Result<sockaddr_un> address = address_of(socket);
  if (!address) return address.error();
  struct stat info{};
  if (lstat(socket.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return fail(ErrorCode::InvalidInput, socket.string() + " exists and is not a socket");
    }
    unlink(socket.c_str());
  }
  const int fd = new_socket();
  const mode_t mask = umask(0177);  // 0600, from the first moment on
  const int bound = bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address));
  const int error = errno;
  umask(mask);
  if (bound != 0 || listen(fd, SOMAXCONN) != 0) {
    close(fd);
    return fail(ErrorCode::Unavailable,
                "cannot listen at " + socket.string() + ": " + reason(error));
  }
  return fd;
}

bool is_own_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == getuid();
}

Result<int> connect_or_start(const fs::path& socket, const std::vector<std::string>& command,
                             const fs::path& log) {
  if (Result<int> connected = connect_to(socket);
      connected || connected.error().code != ErrorCode::NotFound) {
    return connected;
  }
  const Result<FileLock> lock = FileLock::take(socket.string() + ".start", true);
  if (!lock) return lock.error();
  if (Result<int> connected = connect_to(socket)) return connected;  // another was faster
  if (const Result<void> started = start(command, log); !started) return started.error();
  const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < deadline) {
    if (Result<int> connected = connect_to(socket)) return connected;
    constexpr int kPollMs = 10;
    poll(nullptr, 0, kPollMs);  // there is nothing to wait on: the socket does not exist yet
  }
  return fail(ErrorCode::Unavailable, "the daemon did not start within " +
                                          std::to_string(kStartLimit.count()) + " seconds; see " +
                                          log.string());
}

}  // namespace lacuna::daemon
