#include "cli/terminal.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

#include "cli/text_width.h"

namespace lacuna::cli {
namespace {

// Synchronised update (ignored by terminals without it), cursor hidden, no wrapping at the right
// edge: a glyph that the terminal draws wider than we measured must not push the frame down.
constexpr std::string_view kBeginFrame = "\x1B[?2026h\x1B[?25l\x1B[?7l";
constexpr std::string_view kEndFrame = "\x1B[?7h\x1B[?2026l";
constexpr std::string_view kShowCursor = "\x1B[?25h";

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Cells of a row that holds escape sequences of the form ESC [ ... m.
int visible_width(std::string_view row) {
  int width = 0;
  while (!row.empty()) {
    const std::size_t escape = std::min(row.find('\x1B'), row.size());
    width += display_width(row.substr(0, escape));
    row.remove_prefix(escape);
    if (row.empty()) break;
    row.remove_prefix(std::min(row.find('m'), row.size() - 1) + 1);
  }
  return width;
}

}  // namespace

Terminal::Terminal(int fd) : fd_(fd) {
  const auto variable = [](const char* name) -> const char* {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes it
  };
  const char* term = variable("TERM");
  can_draw_ = ::isatty(fd) == 1 && term != nullptr && std::string_view(term) != "dumb";
  colours_ = can_draw_ ? colours_of(variable) : Colours::None;
}

Viewport Terminal::viewport() const {
  winsize size{};
  Viewport viewport;
  if (::ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    viewport.width = size.ws_col;
    viewport.height = size.ws_row;
  }
  viewport.width = std::max(1, viewport.width - 1);
  viewport.colours = colours_;
  return viewport;
}

void Terminal::write(std::string_view bytes, std::string_view undo) {
  const std::lock_guard lock(mutex_);
  write_all(fd_, bytes);
  undo_ = undo;
}

void Terminal::restore() {
  const std::lock_guard lock(mutex_);
  write_all(fd_, std::exchange(undo_, ""));
}

void Terminal::restore_and_lock() {
  mutex_.lock();
  write_all(fd_, std::exchange(undo_, ""));
}

void Screen::show(std::vector<std::string> rows) {
  const int old_rows = rows_taken(shown_, terminal_.viewport().width + 1);
  const std::string undo = "\r\n" + std::string(kShowCursor);
  terminal_.write(repaint(old_rows, rows), undo);
  shown_ = std::move(rows);
}

void Screen::keep() {
  if (shown_.empty()) return;
  terminal_.restore();
  shown_.clear();
}

void Screen::erase() {
  if (shown_.empty()) return;
  const int old_rows = rows_taken(shown_, terminal_.viewport().width + 1);
  terminal_.write(repaint(old_rows, {}) + std::string(kShowCursor), "");
  shown_.clear();
}

Notice::Notice(Terminal* terminal, const std::string& text) {
  if (terminal == nullptr || !terminal->can_draw()) return;
  screen_.emplace(*terminal);
  screen_->show({fit_width(text, terminal->viewport().width)});
}

Notice::~Notice() {
  if (screen_) screen_->erase();
}

std::string repaint(int old_rows, const std::vector<std::string>& rows) {
  std::string bytes(kBeginFrame);
  if (old_rows > 1) bytes += "\x1B[" + std::to_string(old_rows - 1) + "A";
  bytes += "\r";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) bytes += "\r\n";
    bytes += rows[i] + "\x1B[K";
  }
  bytes += "\x1B[J";  // rows of the old frame that the new one does not have
  bytes += kEndFrame;
  return bytes;
}

int rows_taken(const std::vector<std::string>& rows, int width) {
  int taken = 0;
  for (const std::string& row : rows) {
    taken += std::max(1, (visible_width(row) + width - 1) / std::max(1, width));
  }
  return taken;
}

}  // namespace lacuna::cli
