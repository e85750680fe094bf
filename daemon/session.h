// Session: one editor, from initialize to exit. Messages in, messages out; it knows no socket.
//
// Loop thread only. Never blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/fill_service.h"
#include "daemon/settings.h"

namespace lacuna::daemon {

enum class LogLevel : std::uint8_t { Error, Info, Debug };

// What other sessions are told of one.
struct SessionFacts {
  std::string name;
  std::string client;    // as it calls itself; may be empty
  std::string settings;  // chosen_settings() as JSON text
};

// What a session needs of whoever runs it. All of it outlives the session.
struct SessionHost {
  FillService* fills;
  const SettingsState* settings;  // before what the editor says
  // Sends a body to the client. Must not call back into the session.
  std::function<void(std::string body)> send;
  // Never given the text of a document.
  std::function<void(LogLevel level, const std::string& line)> log;
  std::function<std::vector<SessionFacts>()> sessions;  // all that there are
  std::function<void()> end_daemon;                     // empty where there is none to end
  // Runs `work` away from the loop's thread, and then `done` on it. False, and neither is called, when
  // too much waits. Empty: nothing can be done in the background.
  std::function<bool(std::function<void()> work, std::function<void()> done)> in_background = {};
  std::string version;  // of Lacuna
};

class Session {
 public:
  // `name` tells sessions apart in logs and rounds.
  Session(std::string name, SessionHost host);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();  // cancels what is open; nothing is sent any more

  void receive(std::string_view body);

  // After the notification `exit`.
  bool has_exited() const;
  // 0 when `shutdown` came before `exit`, else 1.
  int exit_code() const;
  // Of the editor, where it told; 0 otherwise.
  std::int64_t client_process_id() const;
  SessionFacts facts() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lacuna::daemon
