#include "grammar/tidy_fill.h"

#include <algorithm>
#include <cctype>
#include <numeric>

#include "grammar/layout.h"

namespace lacuna::grammar {
namespace {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Blanks at the begin of a line as tabs, or the other way round; `unit` blanks are a tab.
std::string reindented(std::string_view indent, bool tabs, std::size_t unit) {
  std::size_t columns = 0;
  for (const char c : indent) columns = c == '\t' ? (columns / unit + 1) * unit : columns + 1;
  if (!tabs) return std::string(columns, ' ');
  return std::string(columns / unit, '\t') + std::string(columns % unit, ' ');
}

bool is_unit(std::size_t columns) {
  return columns == 2 || columns == 3 || columns == 4 || columns == 8;
}

// A line of a fill; the first one with what stands before it in the text.
struct Line {
  std::size_t indent = 0;  // bytes of blank space at its begin
  bool tabs = false;       // among them
  bool blank = false;
  bool opens = false;  // a block, which is indented in the lines after it
};

Line line_of(std::string_view line) {
  const std::size_t end = line.find_last_not_of(" \t\r\n") + 1;
  Line result;
  result.indent = std::min(line.find_first_not_of(" \t"), line.size());
  result.tabs = line.substr(0, result.indent).find('\t') != std::string_view::npos;
  result.blank = end <= result.indent;
  if (result.blank) return result;
  const std::string_view content = line.substr(result.indent, end - result.indent);
  const std::string_view last = content.substr(content.find_last_of(" \t") + 1);
  const bool lua = content.starts_with("function") || content.starts_with("local function");
  result.opens = content.ends_with('{') || content.ends_with(':') || last == "then" ||
                 last == "do" || last == "else" || last == "repeat" ||
                 (lua && content.ends_with(')'));
  return result;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

// Whether lines of it may be text, whose blanks mean something.
bool may_hold_text(std::string_view fill) {
  for (const char* sign :
       {"\"\"\"", "'''", "`", "R\"", "[[", "[=", "<<-", "<<~", "<<'", "<<\"", "/*"}) {
    if (fill.find(sign) != std::string_view::npos) return true;
  }
  const std::size_t here = fill.find("<<");
  return here != std::string_view::npos && here + 2 < fill.size() &&
         std::isalpha(static_cast<unsigned char>(fill[here + 2])) != 0;
}

// Where the lines of a fill begin once its blocks are indented by `unit` blanks.
class Rescaling {
 public:
  Rescaling(const std::vector<Line>& lines, std::size_t unit) : unit_(unit) {
    for (const Line& line : lines) {
      if (!line.blank) add(line);
      columns_.push_back(line.blank ? line.indent : before_.to);
    }
  }

  // By how much all blocks of the fill are indented; 0 when it does not tell.
  std::size_t step() const { return mixed_ ? 0 : step_; }
  std::size_t column(std::size_t line) const { return columns_[line]; }

 private:
  struct Level {
    std::size_t from = 0;
    std::size_t to = 0;
    bool goes_on = false;  // the statement before it
  };

  void add(const Line& line) {
    // A block belongs to the statement that opens it, not to the last line of that.
    while (opens_ && levels_.back().goes_on) levels_.pop_back();
    while (!levels_.empty() && levels_.back().from > line.indent) levels_.pop_back();
    if (levels_.empty() || levels_.back().from != line.indent) levels_.push_back(level_of(line));
    before_ = levels_.back();
    opens_ = line.opens;
  }

  Level level_of(const Line& line) {
    if (levels_.empty()) return {.from = line.indent, .to = line.indent};
    const std::size_t deeper = line.indent - levels_.back().from;
    const std::size_t outer = levels_.back().to;
    if (!opens_) return {.from = line.indent, .to = outer + deeper, .goes_on = true};
    if (step_ == 0) step_ = deeper;
    mixed_ = mixed_ || step_ != deeper;
    return {.from = line.indent, .to = outer + unit_};
  }

  std::size_t unit_;
  std::size_t step_ = 0;
  bool mixed_ = false;
  bool opens_ = false;  // the line before
  Level before_;
  std::vector<Level> levels_;
  std::vector<std::size_t> columns_;
};

// How many blanks of a fill are a tab of the file, where `level` tabs stand before its first line:
// what a line that is one level deeper has for each level, else what all lines have a multiple of.
std::size_t blanks_of_a_tab(const std::vector<Line>& lines, std::size_t level) {
  constexpr std::size_t kUsual = 4;
  std::size_t common = 0;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].tabs) return kUsual;
    if (!lines[i].blank) common = std::gcd(common, lines[i].indent);
  }
  if (lines.size() > 1 && lines[0].opens && level > 0 && lines[1].indent % (level + 1) == 0) {
    common = lines[1].indent / (level + 1);
  }
  return is_unit(common) && common <= kUsual ? common : kUsual;
}

}  // namespace

std::string tidy_fill(std::string_view text, Span hole, std::string_view fill) {
  const IndentStyle style = indent_style_of(text);
  const std::size_t begin = hole.begin == 0 ? 0 : text.rfind('\n', hole.begin - 1) + 1;
  const std::string head(text.substr(begin, hole.begin - begin));
  const std::vector<std::string_view> parts = lines_of(fill);
  std::vector<Line> lines;
  lines.reserve(parts.size());
  for (const std::string_view part : parts) {
    lines.push_back(lines.empty() ? line_of(head + std::string(part)) : line_of(part));
  }
  const auto unit = static_cast<std::size_t>(style.unit);
  const std::size_t tab =
      style.tabs && !lines.empty() ? blanks_of_a_tab(lines, lines[0].indent) : unit;
  const Rescaling rescaling(lines, unit);
  const bool blanks = !style.tabs && std::none_of(lines.begin(), lines.end(),
                                                  [](const Line& it) { return it.tabs; });
  const bool rescale = blanks && style.seen && is_unit(rescaling.step()) &&
                       rescaling.step() != unit && !may_hold_text(fill);
  std::string result;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    // The first line of the fill begins where the hole does.
    const std::size_t content =
        i == 0 ? 0 : std::min(parts[i].find_first_not_of(" \t"), parts[i].size());
    const std::string_view indent = parts[i].substr(0, content);
    if (rescale && i > 0) {
      result += std::string(rescaling.column(i), ' ');
    } else if (indent.find(style.tabs ? ' ' : '\t') != std::string_view::npos) {
      result += reindented(indent, style.tabs, tab);
    } else {
      result += indent;
    }
    result += parts[i].substr(content);
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
