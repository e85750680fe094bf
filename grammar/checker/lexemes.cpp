#include "grammar/checker/lexemes.h"

#include <algorithm>

namespace lacuna::grammar {
namespace {

bool is_space(std::uint16_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

Lexer::Lexer(const GrammarTables& tables, TokenAutomaton& automaton, bool blocks)
    : tables_(tables), automaton_(automaton), blocks_(blocks) {
  for (std::uint16_t i = 0; i < tables.pattern_count; ++i) {
    const TokenPattern& pattern = tables.patterns[i];
    for (std::uint16_t q = 0; q < pattern.states; ++q) {
      const TokenState& state = tables.states[pattern.first_state + q];
      for (std::uint32_t m = state.first_move; m < state.first_move + state.moves; ++m) {
        const TokenMove& move = tables.moves[m];
        if ((pattern.flags & Name) != 0 && state.accepting != 0) {
          for (unsigned c = move.low; c <= move.high; ++c) word_bytes_.set(c);
        }
        const bool line_end = move.low <= '\r' && move.high >= '\n';
        space_tokens_ |= q == 0 && line_end && (pattern.flags & Extra) == 0;
      }
    }
  }
}

void Lexer::push_start(std::uint32_t at, bool after_line_end, std::int32_t column, bool tight) {
  for (const Start& known : starts_) {
    if (known.at == at && known.after_line_end == after_line_end && known.tight == tight) return;
  }
  starts_.push_back({at, after_line_end, column, tight});
}

// From a place where space may stand to the next one where something else does.
void Lexer::skip_space(const Start& from) {
  const PartialText& text = *text_;
  std::uint32_t at = from.at;
  bool after_line_end = from.after_line_end;
  std::int32_t column = from.column;
  for (; at < text.size() && is_space(text[at]); ++at) {
    if (text[at] == '\n') {
      if (space_tokens_ && at != from.at) push_start(at, after_line_end, column, false);
      after_line_end = true;
      column = 0;
    } else if (text[at] == '\r' && space_tokens_ && at != from.at) {
      push_start(at, after_line_end, column, false);
    } else if (column >= 0) {
      column = text[at] == '\t' ? (column / 8 + 1) * 8 : text[at] == '\f' ? 0 : column + 1;
    }
  }
  if (at != from.at) push_start(at, after_line_end, column, false);
}

void Lexer::gap_at(const PartialText& text, std::uint32_t at, unsigned expected, Gap& gap) {
  text_ = &text;
  gap_ = &gap;
  starts_.clear();
  const bool hole = at < text.size() && text[at] == kHole;
  const std::uint32_t first = at + (hole ? 1 : 0);
  gap.seen_up_to = first;
  push_start(first, false, -1, true);
  if (hole) {
    current_ = 0;
    run(first, first, automaton_.begun_in_hole(blocks_), true);
  }
  for (current_ = 0; current_ < starts_.size(); ++current_) {
    const Start start = starts_[current_];
    gap.after_line_end |= start.after_line_end;
    gap.seen_up_to = std::max(gap.seen_up_to, start.at + 1);
    if (start.at == text.size()) {
      gap.at_end = true;
      continue;
    }
    if (text[start.at] == kHole) {
      gap.holes.push_back(start.at);
      continue;
    }
    extra_here_ = false;
    if (space_tokens_ || start.tight || !is_space(text[start.at])) {
      run(start.at, start.at, automaton_.start(start.tight, expected), false);
    }
    if (is_space(text[start.at])) {
      skip_space(start);
      continue;
    }
    gap.next = text[start.at];
    if (start.after_line_end && !extra_here_) gap.lines.push_back({start.at, start.column});
  }
}

void Lexer::tokens_at(const PartialText& text, std::uint32_t at, Gap& gap) {
  text_ = &text;
  gap_ = &gap;
  starts_.assign(1, {at, false, -1, true});
  current_ = 0;
  gap.seen_up_to = at;
  if (at == text.size()) {
    gap.at_end = true;
    return;
  }
  run(at, at, automaton_.start(true, (1U << broad().size()) - 1), false);
}

// Reads on from `at` in `state`; `begin` is where the token began. `in_hole`: before it.
void Lexer::run(std::uint32_t at, std::uint32_t begin, TokenAutomaton::State state, bool in_hole) {
  const PartialText& text = *text_;
  bool crossed = in_hole;
  accepts_.clear();
  for (; at < text.size(); ++at) {
    if (text[at] == kHole) {
      if (at > begin || in_hole) reach_hole(at, state);
      flush();
      state = automaton_.through_hole(state);
      crossed = true;
      continue;
    }
    state = automaton_.step(state, static_cast<std::uint8_t>(text[at]));
    if (state == 0) break;
    for (const std::uint16_t accepted : automaton_.accepting(state)) {
      accept(accepted, at + 1, crossed);
    }
  }
  gap_->seen_up_to = std::max(gap_->seen_up_to, at + 1);
  flush();
}

// Every token that is still open may end in the hole at `at`.
void Lexer::reach_hole(std::uint32_t at, TokenAutomaton::State state) {
  std::int32_t last = -1;
  for (const std::uint16_t open : automaton_.states(state)) {
    const std::uint16_t pattern = tables_.states[open].pattern;
    if (pattern == last) continue;
    last = pattern;
    emit(pattern, at);
  }
}

// Whether the pattern of the state also accepts more than the text before `at`.
bool Lexer::grows(std::uint16_t token_state, std::uint32_t at) {
  const PartialText& text = *text_;
  if (at == text.size() || text[at] == kHole) return false;
  const auto byte = static_cast<std::uint8_t>(text[at]);
  const TokenState& row = tables_.states[token_state];
  const TokenMove* const first = tables_.moves + row.first_move;
  const TokenMove* const last = first + row.moves;
  const TokenMove* const move = std::find_if(
      first, last, [&](const TokenMove& it) { return it.low <= byte && byte <= it.high; });
  if (move == last) return false;
  gap_->seen_up_to = std::max(gap_->seen_up_to, at + 1);
  if (tables_.states[move->target].accepting != 0) return true;
  TokenAutomaton::State state = automaton_.only(move->target);
  for (std::uint32_t i = at + 1; i < text.size() && text[i] != kHole; ++i) {
    state = automaton_.step(state, static_cast<std::uint8_t>(text[i]));
    gap_->seen_up_to = std::max(gap_->seen_up_to, i + 1);
    if (state == 0) return false;
    if (!automaton_.accepting(state).empty()) return true;
  }
  return false;
}

void Lexer::accept(std::uint16_t state, std::uint32_t end, bool crossed) {
  const std::uint16_t index = tables_.states[state].pattern;
  const TokenPattern& pattern = tables_.patterns[index];
  const bool at_hole = end < text_->size() && (*text_)[end] == kHole;
  if (pattern.not_before != 0 && end < text_->size() && (*text_)[end] == pattern.not_before) return;
  if ((pattern.flags & AnyEnd) != 0 || wide_at(end)) {
    if (!at_hole) emit(index, end);
    return;
  }
  if (crossed) {  // several ways to read what came before: each has its own longest match
    if (at_hole || grows(state, end)) return;
    if ((pattern.flags & Keyword) != 0 && continues_word(end)) return;
    emit(index, end);
    return;
  }
  for (Accept& known : accepts_) {
    if (known.pattern == index) {
      known.end = end;
      return;
    }
  }
  accepts_.push_back({index, end});
}

// The longest matches of a token that began in the text.
void Lexer::flush() {
  for (const Accept& found : accepts_) {
    if (found.end < text_->size() && (*text_)[found.end] == kHole) continue;  // reach_hole did
    const TokenPattern& pattern = tables_.patterns[found.pattern];
    if ((pattern.flags & Keyword) != 0 && continues_word(found.end)) continue;
    const bool reserved =
        (pattern.flags & Checked) != 0 &&
        std::any_of(accepts_.begin(), accepts_.end(), [&](const Accept& other) {
          return other.end == found.end && (tables_.patterns[other.pattern].flags & Reserved) != 0;
        });
    if (!reserved) emit(found.pattern, found.end);
  }
  accepts_.clear();
}

void Lexer::emit(std::uint16_t pattern, std::uint32_t end) {
  const TokenPattern& token = tables_.patterns[pattern];
  const Start start = starts_[current_];
  if ((token.flags & Extra) == 0) {
    gap_->lexemes.push_back({token.terminal, start.after_line_end, end});
    return;
  }
  extra_here_ = true;
  // Lines end inside comments too; in Python only a backslash could hide a line end here.
  const PartialText& text = *text_;
  const auto from = text.begin() + start.at;
  const bool line_end =
      !tables_.layout && std::any_of(from, text.begin() + end,
                                     [](std::uint16_t c) { return c == '\n' || c == kHole; });
  push_start(end, start.after_line_end || line_end, -1, true);
}

}  // namespace lacuna::grammar
