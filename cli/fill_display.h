// Shows a fill while it runs: `--watch` in place or as a log, else a bar once it takes long.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "cli/terminal.h"
#include "cli/watch_view.h"
#include "engine/infill.h"

namespace lacuna::cli {

class FillDisplay {
 public:
  // `text` and `holes` must outlive this. With `watch` and a terminal that cannot be drawn on,
  // one line for each step is logged; without `watch` nothing is shown there.
  FillDisplay(Terminal& terminal, bool watch, std::string_view text,
              std::span<const engine::Hole> holes, int default_tokens);

  void begin();
  void step(const engine::InfillProgress& progress);
  // The last frame of a watched fill stays on the screen; everything else goes.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Mode : std::uint8_t { Nothing, Bar, Watch, Log };

  void draw();

  Terminal& terminal_;
  Screen screen_;
  Mode mode_;
  WatchState state_;
  std::vector<std::vector<engine::HoleToken>> tokens_;
  Clock::time_point begun_;
  Clock::time_point drawn_;  // the last time
  bool stale_ = false;       // the screen shows an older state
};

}  // namespace lacuna::cli
