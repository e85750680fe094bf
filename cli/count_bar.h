// Progress of work that consists of many equal things: a bar on a terminal, nothing elsewhere.
#pragma once

#include <chrono>
#include <string>

#include "cli/terminal.h"

namespace lacuna::cli {

class CountBar {
 public:
  // "decoding" in "━━━━────  decoding 31 of 200". Shown once the work takes long.
  CountBar(Terminal& terminal, std::string what, int total);
  CountBar(const CountBar&) = delete;
  CountBar& operator=(const CountBar&) = delete;
  ~CountBar();

  void show(int done);

 private:
  using Clock = std::chrono::steady_clock;

  Terminal& terminal_;
  Screen screen_;
  std::string what_;
  int total_;
  Clock::time_point begun_ = Clock::now();
  Clock::time_point drawn_;  // the last time
};

}  // namespace lacuna::cli
