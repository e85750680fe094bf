// Where the daemon of a user listens, and how it is found, started and kept single.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/settings.h"
#include "support/result.h"

namespace lacuna::daemon {

// $XDG_RUNTIME_DIR/lacuna, else /tmp/lacuna-UID: made with mode 0700 where it is missing.
// Unavailable when it belongs to somebody else or others may write into it.
Result<std::filesystem::path> runtime_folder(const Variable& variable);

// The socket of this version's daemon. Another version has another socket, so that a new shim never
// talks to an old daemon.
std::filesystem::path socket_in(const std::filesystem::path& folder, const std::string& version);

// $XDG_STATE_HOME/lacuna/daemon.log, else ~/.local/state/lacuna/daemon.log; its folder is made.
std::filesystem::path log_file(const Variable& variable);

// An exclusive lock on a file, which is made; held until destruction, or the end of the process.
class FileLock {
 public:
  // NotFound when another process holds it, unless `wait`.
  static Result<FileLock> take(const std::filesystem::path& path, bool wait);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

// A connected socket. NotFound when nobody listens there, InvalidInput when the path is too long.
Result<int> connect_to(const std::filesystem::path& socket);
// A listening socket with mode 0600; a stale one at the path is replaced. To be called with the
// lock of the socket held.
Result<int> listen_at(const std::filesystem::path& socket);

// Whether the process at the other end belongs to this user.
bool is_own_peer(int socket);

// Connects to the daemon at a socket. Where there is none, starts `command` as a process of its own
// (session, no terminal, output to `log`) and waits until it listens. Several that try at once
// start one daemon. Unavailable when it does not come up within ten seconds.
Result<int> connect_or_start(const std::filesystem::path& socket,
                             const std::vector<std::string>& command,
                             const std::filesystem::path& log);

}  // namespace lacuna::daemon
