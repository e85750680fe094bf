// What `--watch` draws: the lines around the holes while they denoise, and a line of progress.
// Pure: a state and a size in, rows out. What brings them to a terminal is cli/screen.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/colours.h"
#include "engine/hole.h"
#include "engine/infill.h"

namespace lacuna::cli {

struct Viewport {
  int width = 80;
  int height = 24;
  Colours colours = Colours::None;
};

struct ProgressState {
  int step = 0;  // steps done
  int steps = 0;
  int masks_left = 0;
  int masks_total = 0;
  // Large files take several canvases, each with steps of its own.
  int holes_done = 0;  // in earlier canvases
  int n_holes = 0;     // of the whole file; 0 shows nothing about them
  double seconds = 0;  // of the steps of this canvas
};

struct WatchState {
  std::string_view text;                                   // the file as it was
  std::span<const engine::Hole> holes;                     // sorted
  std::span<const std::vector<engine::HoleToken>> tokens;  // for each hole; empty: not begun
  int default_tokens = 1;  // masks to show for a hole that has not begun
  ProgressState progress;
};

// Rows of at most `width` cells, without line ends, the line of progress last; at most height - 1
// of them, so that drawing them never scrolls the first one away. When the file's lines do not all
// fit, those around the first mask that is left are shown.
std::vector<std::string> draw_watch(const WatchState& state, const Viewport& viewport);

// A bar of at most a quarter of the width.
std::string draw_bar(int done, int total, const Viewport& viewport);

// A bar, then steps, masks left and speed, as far as the width allows.
std::string draw_progress(const ProgressState& progress, const Viewport& viewport);

// The same as a line of a log, for outputs that are no terminal.
std::string log_progress(const ProgressState& progress);

}  // namespace lacuna::cli
