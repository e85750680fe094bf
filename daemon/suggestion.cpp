#include "daemon/suggestion.h"

#include <algorithm>
#include <functional>

#include "daemon/cursor_place.h"

namespace lacuna::daemon {
namespace {

constexpr std::string_view kBlank = " \t\r\n\f\v";

std::string_view trimmed_right(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? std::string_view() : trimmed_right(text.substr(begin));
}

char opener_of(char c) {
  switch (c) {
    case ')':
      return '(';
    case ']':
      return '[';
    case '}':
      return '{';
    default:
      return '\0';
  }
}

// Whether the closer at `at` closes something that was opened in the text before it.
bool is_closed_inside(std::string_view text, std::size_t at) {
  const char close = text[at];
  const char open = opener_of(close);
  if (open == '\0') return std::count(text.begin(), text.begin() + at, close) % 2 == 1;  // a quote
  int depth = 0;
  for (const char c : text.substr(0, at)) {
    if (c == open) ++depth;
    if (c == close && depth > 0) --depth;
  }
  return depth > 0;
}

bool is_closer(char c) { return opener_of(c) != '\0' || c == '"' || c == '\'' || c == '`'; }

// How much of the end of a fill stands behind the cursor already.
std::size_t overlap(std::string_view fill, std::string_view after) {
  for (std::size_t n = std::min(fill.size(), after.size()); n > 0; --n) {
    if (!fill.ends_with(after.substr(0, n))) continue;
    const std::size_t begin = fill.size() - n;
    const std::string_view piece = after.substr(0, n);
    // The rest of the line once more, or a good part of it.
    if (n == after.size() && trimmed(piece).size() > 1 && !is_closer(piece.front())) return n;
    if (trimmed(piece).size() >= 4) return n;
    // Closers that the fill needs itself stay.
    const bool closers = std::all_of(piece.begin(), piece.end(),
                                     [](char c) { return is_closer(c) || c == ';' || c == ','; });
    if (!closers) continue;
    bool needed = false;
    for (std::size_t i = begin; i < fill.size(); ++i) {
      needed = needed || (is_closer(fill[i]) && is_closed_inside(fill, i));
    }
    if (!needed) return n;
  }
  return 0;
}

// The next line behind the cursor's that is not blank, without white space around it.
std::string_view next_line(const Cursor& cursor) {
  std::string_view rest = cursor.text.substr(cursor.offset);
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    rest.remove_prefix(end + 1);
    const std::string_view line = trimmed(rest.substr(0, rest.find('\n')));
    if (!line.empty()) return line;
  }
  return {};
}

constexpr std::size_t kWorthRepeating = 8;  // a lone `}` or `return x` may come twice

// A fill of several lines without the line at its end that follows anyway.
std::string_view without_next_line(const Cursor& cursor, std::string_view fill) {
  const std::string_view content = trimmed_right(fill);
  const std::size_t line_end = content.rfind('\n');
  if (line_end == std::string_view::npos) return fill;
  const std::string_view last = trimmed(content.substr(line_end));
  const bool repeats = last.size() > kWorthRepeating && last == next_line(cursor);
  return repeats ? trimmed_right(content.substr(0, line_end)) : fill;
}

std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>()(text); }

}  // namespace

std::string_view Cursor::line_before() const {
  const std::size_t end =
      offset == 0 ? std::string_view::npos : text.find_last_of("\r\n", offset - 1);
  const std::size_t begin = end == std::string_view::npos ? 0 : end + 1;
  return text.substr(begin, offset - begin);
}

std::string_view Cursor::line_after() const {
  return text.substr(offset, std::min(text.find_first_of("\r\n", offset), text.size()) - offset);
}

engine::Hole hole_at(const Cursor& cursor) {
  return {.begin = cursor.offset, .end = cursor.offset, .tokens = {}, .hint = {}};
}

Suggestion suggestion_of(const Cursor& cursor, const engine::HoleFill& fill, double min_confidence,
                         bool several_lines) {
  const auto nothing = [](std::string why) { return Suggestion{.text = {}, .why_nothing = why}; };
  if (fill.masks_left > 0) return nothing("the model did not finish the fill");
  std::string_view text = fill.text;
  text = several_lines ? without_next_line(cursor, within_block(cursor.text, cursor.offset, text))
                       : text.substr(0, text.find_first_of("\r\n"));
  const std::string_view after = cursor.line_after();
  if (trimmed(after).empty()) text = trimmed_right(text);
  text.remove_suffix(overlap(text, after));
  const std::string_view words = trimmed(text);
  if (words.empty()) return nothing("the model would insert nothing here");
  if (fill.mean_probability < min_confidence) {
    return nothing("the model is not sure enough: its tokens have a mean probability of " +
                   std::to_string(fill.mean_probability).substr(0, 4));
  }
  if (!trimmed(after).empty() && after.starts_with(text)) {
    return nothing("it would repeat what follows the cursor");
  }
  const std::string whole =
      std::string(cursor.line_before()) + std::string(text) + std::string(after);
  if (trimmed(whole).size() > kWorthRepeating && trimmed(whole) == next_line(cursor)) {
    return nothing("it would repeat the next line");
  }
  return {.text = std::string(text), .why_nothing = {}};
}

void SuggestionCache::add(const Cursor& cursor, std::vector<std::string> texts, float confidence) {
  const std::string_view before = cursor.text.substr(0, cursor.offset);
  const std::string_view after = cursor.text.substr(cursor.offset);
  Entry entry{.before_size = before.size(),
              .before_hash = hash_of(before),
              .after_size = after.size(),
              .after_hash = hash_of(after),
              .texts = std::move(texts),
              .confidence = confidence};
  std::erase_if(entries_, [&](const Entry& old) {
    return old.before_size == entry.before_size && old.after_size == entry.after_size &&
           old.before_hash == entry.before_hash && old.after_hash == entry.after_hash;
  });
  entries_.push_front(std::move(entry));
  if (entries_.size() > kMaxEntries) entries_.pop_back();
}

std::optional<SuggestionCache::Found> SuggestionCache::find(const Cursor& cursor) const {
  const std::string_view after = cursor.text.substr(cursor.offset);
  for (const Entry& entry : entries_) {
    if (entry.after_size != after.size() || entry.before_size > cursor.offset) continue;
    const std::string_view typed =
        cursor.text.substr(entry.before_size, cursor.offset - entry.before_size);
    Found found{.texts = {}, .confidence = entry.confidence};
    for (const std::string& text : entry.texts) {
      // A suggestion that was typed to its end has nothing left to say.
      if (text.size() > typed.size() && text.starts_with(typed)) {
        found.texts.push_back(text.substr(typed.size()));
      }
    }
    if (found.texts.empty() && !(entry.texts.empty() && typed.empty())) continue;
    if (entry.after_hash != hash_of(after)) continue;
    if (entry.before_hash != hash_of(cursor.text.substr(0, entry.before_size))) continue;
    return found;
  }
  return std::nullopt;
}

}  // namespace lacuna::daemon
