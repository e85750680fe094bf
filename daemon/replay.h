// Replay: what a shim must remember of a session to set it up again in a new daemon. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna::daemon {

// Sees every body that passes and keeps: initialize, the open documents as they are now, the last
// settings and folders, and requests without an answer.
class Replay {
 public:
  Replay();
  Replay(Replay&& other) noexcept;
  Replay& operator=(Replay&& other) noexcept;
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay();

  void from_client(std::string_view body);
  // Whether the body is for the client: the answer to what the replay itself asked is not.
  bool from_daemon(std::string_view body);

  // The daemon is gone.
  struct Restart {
    std::vector<std::string> to_daemon;  // to be sent to the new one before anything else
    std::vector<std::string> to_client;  // ends of progress that the old one began; answers to
                                         // requests that two daemons have died of
  };
  Restart restart();

  // Whether the daemon's end was asked for by this session, and nobody waits for an answer that needs
  // another. Always so after `shutdown`.
  bool needs_no_daemon() const;
  // Answers to the requests that need none, which no longer wait then.
  std::vector<std::string> answer_without_daemon();

  std::optional<std::int64_t> client_process_id() const;
  // Of serverInfo in the answer to initialize; empty until it came.
  std::string daemon_version() const;
  bool saw_exit() const;
  // As the editor sees it: 0 when `shutdown` came before `exit`, else 1.
  int exit_code() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lacuna::daemon
