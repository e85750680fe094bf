#include "cli/watch_view.h"

#include <algorithm>
#include <utility>

#include "cli/format.h"
#include "cli/text_width.h"
#include "cli/watch_layout.h"

namespace lacuna::cli {
namespace {

constexpr std::string_view kMaskGlyph = "\u2591";
constexpr Style kMask = {Style::Kind::Mask, 0};
constexpr int kMaxContextLines = 3;

// Lines [first, last] of the file, from 0, and the holes [hole, hole_end) in them.
struct Window {
  std::size_t first;
  std::size_t last;
  std::size_t hole;
  std::size_t hole_end;
};

std::vector<Window> windows_of(const WatchState& state, const LineIndex& lines,
                               std::size_t context) {
  std::vector<Window> windows;
  for (std::size_t i = 0; i < state.holes.size(); ++i) {
    const std::size_t first = lines.line_of(state.holes[i].begin);
    const std::size_t last = lines.line_of(state.holes[i].end) + context;
    const Window window = {first - std::min(first, context), std::min(last, lines.line_count() - 1),
                           i, i + 1};
    // Windows that touch become one: a gap of no lines would only waste a row.
    if (!windows.empty() && window.first <= windows.back().last + 1) {
      windows.back().last = std::max(windows.back().last, window.last);
      windows.back().hole_end = i + 1;
    } else {
      windows.push_back(window);
    }
  }
  return windows;
}

void append_hole(const WatchState& state, std::size_t hole_idx, StyledText& text) {
  const std::vector<engine::HoleToken>& tokens = state.tokens[hole_idx];
  text.holes.push_back(text.bytes.size());
  const int masks =
      tokens.empty() ? state.holes[hole_idx].tokens.value_or(state.default_tokens) : 0;
  for (int i = 0; i < masks; ++i) text.append(kMaskGlyph, kMask, kNoOffset);
  for (const engine::HoleToken& token : tokens) {
    if (token.masked) {
      text.append(kMaskGlyph, kMask, kNoOffset);
    } else {
      text.append(token.text, sure(token.probability), kNoOffset);
    }
  }
}

StyledText text_of(const WatchState& state, const LineIndex& lines, const Window& window) {
  StyledText text;
  std::size_t at = lines.line_begin(window.first);
  const std::size_t end = lines.line_end(window.last);
  if (at == 0 && state.text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    at = std::min(kByteOrderMark.size(), state.holes[window.hole].begin);
  }
  for (std::size_t i = window.hole; i < window.hole_end; ++i) {
    const engine::Hole& hole = state.holes[i];
    text.append(state.text.substr(at, hole.begin - at), {}, at);
    append_hole(state, i, text);
    at = hole.end;
  }
  text.append(state.text.substr(at, end - at), {}, at);
  return text;
}

std::vector<Row> fold(const WatchState& state, const LineIndex& lines, std::size_t context,
                      const Viewport& viewport, std::string& gap) {
  RowFolder folder(viewport.width, lines.line_count(), viewport.colours);
  gap = folder.gap_row();
  bool first = true;
  for (const Window& window : windows_of(state, lines, context)) {
    if (!std::exchange(first, false)) folder.add_gap();
    folder.add(text_of(state, lines, window), window.first + 1, lines);
  }
  return folder.take();
}

// At most `max_rows` rows around the first one with a mask, or the last ones.
std::vector<std::string> crop(std::vector<Row> rows, std::size_t max_rows, const std::string& gap) {
  std::size_t begin = 0;
  const std::size_t end = std::min(rows.size(), max_rows);
  if (rows.size() > max_rows) {
    const auto masked =
        std::find_if(rows.begin(), rows.end(), [](const Row& r) { return r.has_mask; });
    const auto focus = static_cast<std::size_t>(masked - rows.begin());
    begin = std::min(focus - std::min(focus, max_rows / 2), rows.size() - max_rows);
    if (max_rows >= 3) {
      if (begin > 0) rows[begin].text = gap;
      if (begin + max_rows < rows.size()) rows[begin + max_rows - 1].text = gap;
    }
  }
  std::vector<std::string> shown;
  shown.reserve(end);
  for (std::size_t i = 0; i < end; ++i) shown.push_back(std::move(rows[begin + i].text));
  return shown;
}

int bar_width(const Viewport& viewport) { return std::clamp(viewport.width / 4, 4, 24); }

int tokens_done(const ProgressState& progress) {
  return progress.masks_total - progress.masks_left;
}

std::string steps_of(const ProgressState& progress) {
  if (progress.steps == 0) return "";  // before the first step their number is not known
  return "step " + std::to_string(progress.step) + "/" + std::to_string(progress.steps);
}

std::string speed_of(const ProgressState& progress) {
  if (progress.seconds <= 0) return "";
  return fixed(tokens_done(progress) / progress.seconds, 1) + " tokens/s";
}

std::string holes_of(const ProgressState& progress) {
  return std::to_string(progress.holes_done) + " of " + std::to_string(progress.n_holes) +
         " holes done";
}

}  // namespace

std::vector<std::string> draw_watch(const WatchState& state, const Viewport& viewport) {
  const LineIndex lines(state.text);
  const auto max_rows = static_cast<std::size_t>(std::max(1, viewport.height - 2));
  std::vector<Row> rows;
  std::string gap;
  for (std::size_t context = kMaxContextLines + 1; context-- > 0;) {
    rows = fold(state, lines, context, viewport, gap);
    if (rows.size() <= max_rows) break;
  }
  std::vector<std::string> shown = crop(std::move(rows), max_rows, gap);
  shown.push_back(draw_progress(state.progress, viewport));
  return shown;
}

std::string draw_bar(int done, int total, const Viewport& viewport) {
  const int bar = bar_width(viewport);
  const auto filled =
      std::clamp(static_cast<int>(std::int64_t{bar} * done / std::max(1, total)), 0, bar);
  std::string line = start_of({Style::Kind::Sure, kSureLevels - 1}, viewport.colours);
  for (int i = 0; i < filled; ++i) line += "\u2501";
  line += start_of({Style::Kind::Faint, 0}, viewport.colours);
  for (int i = filled; i < bar; ++i) line += "\u2500";
  return line + start_of({}, viewport.colours);
}

std::string draw_progress(const ProgressState& progress, const Viewport& viewport) {
  const int bar = bar_width(viewport);
  std::string line = draw_bar(tokens_done(progress), progress.masks_total, viewport);
  std::vector<std::string> parts = {
      steps_of(progress), std::to_string(progress.masks_left) + " tokens left", speed_of(progress)};
  if (progress.n_holes > 0) parts.push_back(holes_of(progress));
  int used = bar;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    used += 2 + display_width(part);
    if (used > viewport.width) break;
    line += "  " + part;
  }
  return line;
}

std::string log_progress(const ProgressState& progress) {
  std::string line = steps_of(progress);
  if (progress.n_holes > 0) line = holes_of(progress) + ", " + line;
  line += ": " + std::to_string(tokens_done(progress)) + " of " +
          std::to_string(progress.masks_total) + " tokens";
  const std::string speed = speed_of(progress);
  return speed.empty() ? line : line + ", " + speed;
}

}  // namespace lacuna::cli
