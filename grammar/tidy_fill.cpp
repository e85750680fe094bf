#include "grammar/tidy_fill.h"

#include <algorithm>

#include "grammar/layout.h"

namespace lacuna::grammar {
namespace {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Blanks at the begin of a line as tabs, or the other way round.
std::string reindented(std::string_view indent, const IndentStyle& style) {
  std::size_t columns = 0;
  const auto unit = static_cast<std::size_t>(style.tabs ? 4 : style.unit);
  for (const char c : indent) columns = c == '\t' ? (columns / unit + 1) * unit : columns + 1;
  if (!style.tabs) return std::string(columns, ' ');
  return std::string(columns / unit, '\t') + std::string(columns % unit, ' ');
}

}  // namespace

std::string tidy_fill(std::string_view text, Span hole, std::string_view fill) {
  const IndentStyle style = indent_style_of(text);
  const std::string_view wrong = style.tabs ? " " : "\t";
  std::string result;
  for (std::size_t at = 0; at < fill.size();) {
    const std::size_t end = std::min(fill.find('\n', at), fill.size() - 1) + 1;
    const std::string_view line = fill.substr(at, end - at);
    const std::size_t content = std::min(line.find_first_not_of(" \t"), line.size());
    const std::string_view indent = line.substr(0, content);
    // The first line of the fill begins where the hole does.
    const bool convert = at > 0 && indent.find(wrong) != std::string_view::npos;
    result += convert ? reindented(indent, style) : std::string(indent);
    result += line.substr(content);
    at = end;
  }
  const char after = hole.end < text.size() ? text[hole.end] : '\n';
  if (after == '\n' || after == '\r') {
    result.erase(result.find_last_not_of(" \t") + 1);
  }
  return result;
}

std::vector<std::size_t> repeated_after(std::string_view text, Span hole, std::string_view fill) {
  const std::string_view after = text.substr(hole.end);
  std::vector<std::size_t> lengths;
  for (std::size_t n = std::min(after.size(), fill.size()); n > 0; --n) {
    if (fill.ends_with(after.substr(0, n)) && !is_blank(after.substr(0, n))) lengths.push_back(n);
  }
  return lengths;
}

bool is_whole_line(std::string_view repeated) {
  constexpr std::ptrdiff_t kSurely = 6;
  const auto letters = std::count_if(repeated.begin(), repeated.end(),
                                     [](char c) { return !is_blank(std::string_view(&c, 1)); });
  return letters >= kSurely && repeated.find('\n') != std::string_view::npos;
}

}  // namespace lacuna::grammar
