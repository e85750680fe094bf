// Where the tokens at a place lead to: the edges of the chart.
#include <algorithm>
#include <cstring>

#include "grammar/checker/chart.h"

namespace lacuna::grammar {
namespace {

constexpr std::int16_t kDeepest = 1000;

// Where the scanners of JavaScript and TypeScript do not end a statement at a line end.
bool continues_statement(std::uint16_t next) {
  return next > 0 && next < 128 && std::strchr(",;*%>=?^|&:", static_cast<int>(next)) != nullptr;
}

}  // namespace

void Chart::add_edge(std::int32_t terminal, const Site& target) {
  if (terminal >= 0) {
    const auto symbol = static_cast<std::uint16_t>(terminal);
    if (std::find(out_.begin(), out_.end(), symbol) == out_.end()) out_.push_back(symbol);
  } else {
    open_ = true;
  }
  edges_.push_back({terminal, target});
}

void Chart::add_token_edge(std::uint16_t terminal, std::uint32_t end, Context context) {
  if (end < text_.size() && text_[end] == kHole) {
    add_edge(terminal, {end, Kind::Hole, {}});
    return;
  }
  if (!tables_.layout) {
    add_edge(terminal, {end, Kind::Plain, {}});
    return;
  }
  if (bracket_[terminal] > 0) {
    if (context.depth < kDeepest) ++context.depth;
  } else if (bracket_[terminal] < 0) {
    if (context.depth == 0) return;  // nothing is open
    if (context.depth == 1 && context.more) {
      add_edge(terminal, {end, Kind::Plain, context});
      context.more = false;
    }
    --context.depth;
  }
  add_edge(terminal, {end, Kind::Plain, context});
}

void Chart::lexeme_edges(Context context) {
  const bool lines_matter = tables_.layout && context.depth == 0;
  for (const Lexeme& lexeme : gap_.lexemes) {
    if (lines_matter && lexeme.after_line_end) continue;
    add_token_edge(lexeme.terminal, lexeme.end, context);
  }
}

// The ends of a line outside brackets: a newline, or an indent, and then a line that begins in a
// known column. After a hole, which of them it was is in the hole.
void Chart::line_edges(Context context, bool hole) {
  for (const LineStart& line : gap_.lines) {
    const Site target{line.at, Kind::LineStart, {0, false, line.column}};
    add_edge(hole ? -1 : newline_, target);
    const bool deeper = line.column != 0 && (line.column < 0 || line.column > context.column);
    if (deeper && !hole) add_edge(indent_, target);
  }
  if (gap_.at_end) {
    const auto end = static_cast<std::uint32_t>(text_.size());
    add_edge(hole ? -1 : newline_, {end, Kind::LineStart, {0, false, 0}});
  }
}

// Which of the lexer's broad terminals some rule may go on with.
unsigned Chart::expected_at(const Waiting& waiting) const {
  unsigned expected = 0;
  for (std::size_t i = 0; i < lexer_.broad().size(); ++i) {
    const Word* const wanted = masks_.viable(lexer_.broad()[i]);
    const bool some =
        waiting.site.kind == Kind::Hole ||
        std::any_of(waiting.entries.begin(), waiting.entries.end(), [&](const Entry& entry) {
          return masks_.meet(waiting_items_.data() + entry.items, wanted);
        });
    if (some) expected |= 1U << i;
  }
  return expected;
}

void Chart::find_edges(const Site& site, unsigned expected) {
  const bool layout = tables_.layout;
  const bool first = rank_ == 0;
  out_.clear();
  open_ = site.kind == Kind::Hole;
  gap_.clear();
  if (site.kind == Kind::LineStart) {
    lexer_.tokens_at(text_, site.at, gap_);
  } else {
    lexer_.gap_at(text_, site.at, expected, gap_);
  }
  at_end_ = gap_.at_end && (!layout || site.kind != Kind::Plain || first);
  if (at_end_) open_ = true;

  if (layout && site.kind == Kind::Hole) {
    lexeme_edges({0, false, -1});
    lexeme_edges({1, true, -1});
    line_edges({}, true);
  } else {
    lexeme_edges(site.context);
    if (layout && site.kind == Kind::Plain && site.context.depth == 0) {
      line_edges(site.context, first);
    }
  }
  for (const std::uint32_t hole : gap_.holes) {
    if (hole != site.at) add_edge(-1, {hole, Kind::Hole, {}});
  }
  if (site.kind != Kind::Plain) return;
  const bool statement_end =
      gap_.at_end || gap_.next == '}' || (gap_.after_line_end && !continues_statement(gap_.next));
  if (semicolon_ >= 0 && statement_end) {
    add_edge(semicolon_, {site.at, Kind::AfterVirtual, site.context});
  }
  if (end_of_file_ >= 0 && gap_.at_end) {
    add_edge(end_of_file_, {site.at, Kind::AfterVirtual, site.context});
  }
}

}  // namespace lacuna::grammar
