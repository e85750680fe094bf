#include "cli/count_bar.h"

#include "cli/format.h"
#include "cli/text_width.h"

namespace lacuna::cli {
namespace {

constexpr std::chrono::milliseconds kFrameTime(50);
constexpr std::chrono::milliseconds kPatience(400);

}  // namespace

CountBar::CountBar(Terminal& terminal, std::string what, int total)
    : terminal_(terminal), screen_(terminal), what_(std::move(what)), total_(total) {}

CountBar::~CountBar() { screen_.erase(); }

void CountBar::show(int done) {
  const Clock::time_point now = Clock::now();
  if (!terminal_.can_draw() || now - begun_ < kPatience || now - drawn_ < kFrameTime) return;
  drawn_ = now;
  const Viewport viewport = terminal_.viewport();
  const std::string count = "  " + what_ + " " + grouped(static_cast<std::uint64_t>(done)) +
                            " of " + grouped(static_cast<std::uint64_t>(total_));
  std::string line = draw_bar(done, total_, viewport);
  // The bar takes at most a quarter of the width.
  if (viewport.width >= 4)
    line += fit_width(count, viewport.width - std::max(4, viewport.width / 4));
  screen_.show({line});
}

}  // namespace lacuna::cli
