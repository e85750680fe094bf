#include "cli/fill_display.h"

namespace lacuna::cli {
namespace {

// Fast steps are not all drawn: nobody sees more, and drawing would slow them down.
constexpr std::chrono::milliseconds kFrameTime(25);
// What is done sooner shows no bar.
constexpr std::chrono::milliseconds kPatience(400);

}  // namespace

FillDisplay::FillDisplay(Terminal& terminal, bool watch, std::string_view text,
                         std::span<const engine::Hole> holes, int default_tokens)
    : terminal_(terminal), screen_(terminal), tokens_(holes.size()) {
  if (terminal.can_draw()) {
    mode_ = watch ? Mode::Watch : Mode::Bar;
  } else {
    mode_ = watch ? Mode::Log : Mode::Nothing;
  }
  state_.text = text;
  state_.holes = holes;
  state_.tokens = tokens_;
  state_.default_tokens = default_tokens;
}

void FillDisplay::begin() {
  begun_ = Clock::now();
  if (mode_ != Mode::Watch) return;
  for (const engine::Hole& hole : state_.holes) {
    state_.progress.masks_total += hole.tokens.value_or(state_.default_tokens);
  }
  state_.progress.masks_left = state_.progress.masks_total;
  draw();
}

void FillDisplay::step(const engine::InfillProgress& progress) {
  if (mode_ == Mode::Nothing) return;
  ProgressState& shown = state_.progress;
  // The first step of a canvas starts its clock anew.
  shown.seconds = progress.step == 0 ? progress.seconds : shown.seconds + progress.seconds;
  shown.step = progress.step + 1;
  shown.steps = progress.steps;
  shown.masks_left = progress.masks_left;
  shown.masks_total = progress.masks_total;
  shown.holes_done = progress.holes_done;
  const bool one_canvas = progress.holes.size() == state_.holes.size();
  shown.n_holes = one_canvas ? 0 : static_cast<int>(state_.holes.size());
  for (std::size_t i = 0; i < progress.holes.size(); ++i) {
    tokens_[static_cast<std::size_t>(progress.holes[i])] = progress.tokens[i];
  }
  if (mode_ == Mode::Log) {
    terminal_.write(log_progress(shown) + "\n", "");
    return;
  }
  stale_ = true;
  const Clock::time_point now = Clock::now();
  if (now - drawn_ >= kFrameTime && (mode_ == Mode::Watch || now - begun_ >= kPatience)) draw();
}

void FillDisplay::end() {
  if (mode_ == Mode::Bar) screen_.erase();
  if (mode_ != Mode::Watch) return;
  if (stale_) draw();
  screen_.keep();
}

void FillDisplay::draw() {
  const Viewport viewport = terminal_.viewport();
  if (mode_ == Mode::Bar) {
    screen_.show({draw_progress(state_.progress, viewport)});
  } else {
    screen_.show(draw_watch(state_, viewport));
  }
  drawn_ = Clock::now();
  stale_ = false;
}

}  // namespace lacuna::cli
