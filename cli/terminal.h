// The terminal behind a file descriptor, and what must be undone there before the process ends.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/watch_view.h"

namespace lacuna::cli {

class Terminal {
 public:
  // Looks once whether `fd` is a terminal that can be drawn on (TERM=dumb cannot) and which
  // colours it has.
  explicit Terminal(int fd);
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() { restore(); }

  bool can_draw() const { return can_draw_; }
  // The present size, 80x24 where it is not known; one column less than there are, because
  // erasing the rest of a row that is full would take its last cell.
  Viewport viewport() const;

  // Writes and remembers what undoes it; what was remembered before is forgotten. Failures are
  // ignored: a terminal that went away must not cost the result.
  void write(std::string_view bytes, std::string_view undo);
  // Undoes the last write(). May be called from any thread, as write().
  void restore();
  // restore(), and every later write() waits for ever: for a thread that is about to end the
  // process while another one may be drawing.
  void restore_and_lock();

 private:
  int fd_;
  bool can_draw_;
  Colours colours_;
  std::mutex mutex_;
  std::string undo_;
};

// Frames of rows, each drawn over the one before it.
class Screen {
 public:
  explicit Screen(Terminal& terminal) : terminal_(terminal) {}

  void show(std::vector<std::string> rows);
  // Leaves the last frame where it is, the cursor below it; or takes it away.
  void keep();
  void erase();

 private:
  Terminal& terminal_;
  std::vector<std::string> shown_;
};

// One line on the terminal while it lives, where that can be drawn on; it may be null.
class Notice {
 public:
  Notice(Terminal* terminal, const std::string& text);
  Notice(const Notice&) = delete;
  Notice& operator=(const Notice&) = delete;
  ~Notice();

 private:
  std::optional<Screen> screen_;
};

// The bytes that replace one frame by the next. `old_rows` is how many rows of the terminal the
// old one takes, the cursor standing in its last one; 0 if there is none.
std::string repaint(int old_rows, const std::vector<std::string>& rows);

// How many rows of a terminal a frame takes that was drawn when it may have been wider.
int rows_taken(const std::vector<std::string>& rows, int width);

}  // namespace lacuna::cli
