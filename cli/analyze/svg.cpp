#include "cli/analyze/svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "cli/format.h"
#include "cli/text_width.h"

namespace lacuna::cli {
namespace {

constexpr int kWidth = 680;

// Every drawing carries its own style, so that it can be cut out of a page and used alone. Without
// variables: programs other than browsers do not know them.
constexpr const char* kStyle = R"(<style>
.plot{font:12px system-ui,sans-serif}.plot .code{font:10px ui-monospace,monospace}.plot .name{font-weight:600}
.plot .line{fill:none;stroke-width:2;stroke-linejoin:round}.plot .dashed{stroke-dasharray:5 4}
.plot text{fill:#6b7080}.plot .name{fill:#23262e}.plot .rule{stroke:#e2e0da}.plot .axis{stroke:#6b7080}.plot .mark{stroke:#23262e;stroke-width:1.4}
.plot .s0{stroke:#2f62c9}.plot .s1{stroke:#c2501a}.plot .s2{stroke:#1d8558}.plot .s3{stroke:#8a3fb5}.plot .s4{stroke:#a67c00}.plot .s5{stroke:#5b6472}
.plot .d0{fill:#2f62c9}.plot .d1{fill:#c2501a}.plot .d2{fill:#1d8558}.plot .d3{fill:#8a3fb5}.plot .d4{fill:#a67c00}.plot .d5{fill:#5b6472}
@media(prefers-color-scheme:dark){
.plot text{fill:#989dab}.plot .name{fill:#e6e7ea}.plot .rule{stroke:#33363f}.plot .axis{stroke:#989dab}.plot .mark{stroke:#fff}
.plot .s0{stroke:#7ea6f7}.plot .s1{stroke:#f0935f}.plot .s2{stroke:#5cc795}.plot .s3{stroke:#c795ea}.plot .s4{stroke:#dcb84a}.plot .s5{stroke:#a5adba}
.plot .d0{fill:#7ea6f7}.plot .d1{fill:#f0935f}.plot .d2{fill:#5cc795}.plot .d3{fill:#c795ea}.plot .d4{fill:#dcb84a}.plot .d5{fill:#a5adba}
}
</style>)";

std::string number(double value) {
  std::string text = fixed(value, 1);
  if (text.size() > 2 && text.substr(text.size() - 2) == ".0") text.resize(text.size() - 2);
  return text;
}

std::string open_svg(int height, const std::string& title) {
  return "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " +
         std::to_string(kWidth) + " " + std::to_string(height) + "\" role=\"img\"><title>" +
         escape_markup(title) + "</title>\n" + kStyle + "\n";
}

std::string text_at(double x, double y, std::string_view text, const std::string& attributes) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" " + attributes + ">" +
         escape_markup(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& attributes) {
  return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) +
         "\" y2=\"" + number(y2) + "\" " + attributes + "/>\n";
}

// The frame of a line chart and how values lie in it.
struct Frame {
  double left = 44;
  double right = kWidth - 16;
  double top = 40;
  double bottom = 250;
  double x_low;
  double x_high;
  double y_high;

  double x(double value) const {
    const double span = x_high > x_low ? x_high - x_low : 1;
    return left + (value - x_low) / span * (right - left);
  }
  double y(double value) const { return bottom - value / y_high * (bottom - top); }
};

Frame frame_of(const LineChart& chart) {
  Frame frame{};
  frame.x_low = frame.x_high = chart.series.front().points.front().first;
  for (const Series& series : chart.series) {
    for (const auto& [x, y] : series.points) {
      frame.x_low = std::min(frame.x_low, x);
      frame.x_high = std::max(frame.x_high, x);
    }
  }
  double highest = 0;
  for (const Series& series : chart.series) {
    for (const auto& [x, y] : series.points) highest = std::max(highest, y);
  }
  for (frame.y_high = 0.125; frame.y_high < std::min(highest, 1.0);) frame.y_high *= 2;
  return frame;
}

// "s2 dashed": which of the six looks a series has.
std::string look_of(const Series& series, std::size_t index) {
  return "s" + std::to_string(index % 6) + (series.dashed ? " dashed" : "");
}

std::string draw_series(const Series& series, std::size_t index, const Frame& frame) {
  std::string points;
  std::string dots;
  for (const auto& [x, y] : series.points) {
    points += number(frame.x(x)) + "," + number(frame.y(y)) + " ";
    dots += "<circle class=\"d" + std::to_string(index % 6) + "\" cx=\"" + number(frame.x(x)) +
            "\" cy=\"" + number(frame.y(y)) + "\" r=\"2.6\"><title>" + escape_markup(series.name) +
            ": " + fixed(y, 3) + "</title></circle>";
  }
  return "<polyline class=\"line " + look_of(series, index) + "\" points=\"" + points + "\"/>" +
         dots + "\n";
}

std::string draw_legend(const LineChart& chart) {
  std::string svg;
  double x = 44;
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    svg += line(x, 16, x + 18, 16, "class=\"line " + look_of(chart.series[i], i) + "\"");
    svg += text_at(x + 24, 20, chart.series[i].name, "class=\"name\"");
    x += 44 + 7.2 * display_width(chart.series[i].name);
  }
  return svg;
}

// From dark violet over green to yellow: as bright as it is large, on light and on dark.
std::string heat_colour(double value) {
  static constexpr std::array<std::array<double, 3>, 5> kAnchors = {
      {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}}};
  const double place = std::clamp(value, 0.0, 1.0) * (kAnchors.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(place), kAnchors.size() - 2);
  const double share = place - static_cast<double>(low);
  std::string colour = "#";
  for (std::size_t i = 0; i < 3; ++i) {
    const double mixed = kAnchors[low][i] * (1 - share) + kAnchors[low + 1][i] * share;
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned>(std::lround(mixed));
    colour += kDigits[byte / 16];
    colour += kDigits[byte % 16];
  }
  return colour;
}

// As many old cells in a new one as it takes, in each direction.
HeatMap coarser(const HeatMap& map) {
  const auto factor = [](int n) { return (n + kMaxHeatCells - 1) / kMaxHeatCells; };
  const int down = std::max(1, factor(map.rows));
  const int across = std::max(1, factor(map.columns));
  if (down == 1 && across == 1) return map;
  struct Sum {
    double value = 0;
    int count = 0;
    bool marked = false;
  };
  std::map<std::pair<int, int>, Sum> sums;
  for (const HeatMap::Cell& cell : map.cells) {
    Sum& sum = sums[{cell.row / down, cell.column / across}];
    sum.value += cell.value;
    sum.count += 1;
    sum.marked = sum.marked || cell.marked;
  }
  HeatMap result = map;
  result.rows = (map.rows + down - 1) / down;
  result.columns = (map.columns + across - 1) / across;
  result.column_names.clear();
  result.cells.clear();
  for (const auto& [place, sum] : sums) {
    result.cells.push_back({place.first, place.second, sum.value / sum.count, sum.marked});
  }
  return result;
}

std::string draw_ramp(double x, double y) {
  std::string svg = text_at(x - 8, y + 9, "0", "text-anchor=\"end\"");
  constexpr int kParts = 24;
  for (int i = 0; i < kParts; ++i) {
    svg += "<rect x=\"" + number(x + 5 * i) + "\" y=\"" + number(y) +
           "\" width=\"5.2\" height=\"10\" fill=\"" + heat_colour((i + 0.5) / kParts) + "\"/>";
  }
  return svg + text_at(x + 5 * kParts + 8, y + 9, "1", "");
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const char c = text.front();
    if (c == '\n' || c == '\t') {
      escaped += c;
      text.remove_prefix(1);
      continue;
    }
    const Glyph glyph = next_glyph(text);
    text.remove_prefix(glyph.length);
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += glyph.text;
    }
  }
  return escaped;
}

std::string draw(const LineChart& chart) {
  const Frame frame = frame_of(chart);
  constexpr int kHeight = 296;
  std::string svg = open_svg(kHeight, chart.title) + draw_legend(chart);
  for (int i = 0; i <= 4; ++i) {
    const double value = frame.y_high * i / 4;
    svg += line(frame.left, frame.y(value), frame.right, frame.y(value),
                i == 0 ? "class=\"axis\"" : "class=\"rule\"");
    svg += text_at(frame.left - 8, frame.y(value) + 4, fixed(value, frame.y_high < 1 ? 3 : 2),
                   "text-anchor=\"end\"");
  }
  for (const double tick : chart.x_ticks) {
    svg += text_at(frame.x(tick), frame.bottom + 18, fixed(tick, chart.x_digits),
                   "text-anchor=\"middle\"");
  }
  svg += text_at((frame.left + frame.right) / 2, frame.bottom + 38, chart.x_label,
                 "text-anchor=\"middle\"");
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    svg += draw_series(chart.series[i], i, frame);
  }
  return svg + "</svg>\n";
}

std::string draw(const HeatMap& whole) {
  const HeatMap map = coarser(whole);
  constexpr double kLeft = 44;
  constexpr double kTop = 36;
  const double width = std::min(26.0, (kWidth - kLeft - 16) / std::max(1, map.columns));
  const double height = std::clamp(360.0 / std::max(1, map.rows), 3.0, 14.0);
  const double bottom = kTop + height * map.rows;
  const bool named = !map.column_names.empty() && width >= 11;
  const double label_y = bottom + (named ? 70 : 24);
  std::string svg = open_svg(static_cast<int>(label_y) + 12, map.title);
  svg += text_at(kLeft, 18, map.y_label + " \u2193", "");
  svg += draw_ramp(kWidth - 160, 10);
  for (const HeatMap::Cell& cell : map.cells) {
    const double x = kLeft + width * cell.column;
    const double y = kTop + height * cell.row;
    svg += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" +
           number(width - (width > 8 ? 1 : 0)) + "\" height=\"" +
           number(height - (height > 6 ? 1 : 0)) + "\" fill=\"" + heat_colour(cell.value) + "\"";
    svg += cell.marked ? " class=\"mark\"/>\n" : "/>\n";
  }
  svg += text_at(kLeft - 8, kTop + 10, "1", "text-anchor=\"end\"");
  if (whole.rows > 1) {
    svg += text_at(kLeft - 8, bottom, std::to_string(whole.rows), "text-anchor=\"end\"");
  }
  for (std::size_t i = 0; named && i < map.column_names.size(); ++i) {
    const double x = kLeft + width * (static_cast<double>(i) + 0.5);
    svg += text_at(x, bottom + 10, fit_width(map.column_names[i], 9),
                   "class=\"code\" text-anchor=\"end\" transform=\"rotate(-55 " + number(x + 2) +
                       " " + number(bottom + 10) + ")\"");
  }
  svg += text_at(kLeft, label_y, map.x_label + " \u2192", "");
  return svg + "</svg>\n";
}

}  // namespace lacuna::cli
