// SIGINT, SIGTERM and SIGHUP, turned into a stop_token or into a clean exit.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

#include "cli/terminal.h"

namespace lacuna::cli {

// While one lives, the three signals are blocked in the thread that made it and in all threads
// started after it; a thread of its own waits for them. A first signal asks token() to stop while
// a Cooperative lives, else it restores the terminal and ends the process; a second one always
// does. The exit status is 128 + the signal's number, so 130 for SIGINT.
class Interrupts {
 public:
  explicit Interrupts(Terminal& terminal);
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();

  std::stop_token token() const { return source_.get_token(); }
  // 128 + the signal that came, 0 if none did.
  int exit_code() const { return exit_code_; }

  // The code that runs now looks at token() by itself.
  class Cooperative {
   public:
    explicit Cooperative(Interrupts& interrupts) : cooperative_(interrupts.cooperative_) {
      cooperative_ = true;
    }
    Cooperative(const Cooperative&) = delete;
    Cooperative& operator=(const Cooperative&) = delete;
    ~Cooperative() { cooperative_ = false; }

   private:
    std::atomic<bool>& cooperative_;
  };

 private:
  void wait_for_signals();

  Terminal& terminal_;
  std::stop_source source_;
  std::atomic<bool> cooperative_ = false;
  std::atomic<int> exit_code_ = 0;
  int signal_fd_;
  int end_fd_;  // readable when the thread shall end
  std::thread thread_;
};

}  // namespace lacuna::cli
