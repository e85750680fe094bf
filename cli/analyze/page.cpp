#include "cli/analyze/page.h"

#include <algorithm>

#include "cli/analyze/svg.h"
#include "cli/format.h"

namespace lacuna::cli {
namespace {

constexpr const char* kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Lacuna: decoding order</title>
<style>
:root{--paper:#faf9f6;--card:#fff;--ink:#23262e;--faint:#6b7080;--rule:#e2e0da}
@media(prefers-color-scheme:dark){:root{--paper:#14161b;--card:#1c1f26;--ink:#e6e7ea;--faint:#989dab;--rule:#33363f}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:46rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.7rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:0 0 .3rem}
p{margin:.2rem 0 .9rem;color:var(--faint);font-size:.92rem}
section{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:1.2rem 1.4rem;margin-top:1.2rem}
svg{width:100%;height:auto;display:block}
pre{margin:0;overflow-x:auto;font:13px/1.65 ui-monospace,monospace;tab-size:4}
.around{color:var(--faint)}
.t{background:hsl(var(--h) 85% 50%/.26);box-shadow:inset 0 -2px hsl(var(--h) 85% 50%/.85);border-radius:2px}
.key{height:8px;border-radius:4px;margin:.3rem 0 1rem;background:linear-gradient(90deg,hsl(0 85% 50%/.7),hsl(71 85% 50%/.7),hsl(143 85% 50%/.7),hsl(214 85% 50%/.7),hsl(285 85% 50%/.7))}
.ends{display:flex;justify-content:space-between;color:var(--faint);font-size:.8rem}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;margin-top:.8rem;width:100%}
td,th{text-align:right;padding:.15rem .4rem;border-top:1px solid var(--rule)}th:first-child{text-align:left}th{font-weight:600}
</style></head><body><main>
)";

constexpr double kLastHue = 285;  // purple; the first token is red
constexpr std::size_t kContextLines = 16;

std::string section(const std::string& title, const std::string& text, const std::string& body) {
  return "<section><h2>" + escape_markup(title) + "</h2><p>" + escape_markup(text) + "</p>\n" +
         body + "</section>\n";
}

std::string table_row(const std::string& name, const std::vector<std::string>& cells) {
  std::string html = "<tr><th>" + escape_markup(name) + "</th>";
  for (const std::string& cell : cells) html += "<td>" + escape_markup(cell) + "</td>";
  return html + "</tr>\n";
}

std::string ar_ness_section(const Analysis& analysis) {
  LineChart chart = {
      .title = "AR-ness by k",
      .x_label = "k",
      .series = {{"local, over T \u2212 k", {}}, {"local, over T", {}, true}, {"global", {}}},
      .x_ticks = {}};
  std::vector<std::vector<std::string>> rows(4);
  for (const engine::ArNessMean& mean : analysis.ar_ness) {
    const double k = mean.k;
    chart.x_ticks.push_back(k);
    chart.series[0].points.emplace_back(k, mean.local_over_windows);
    chart.series[1].points.emplace_back(k, mean.local_over_tokens);
    if (mean.k <= kGlobalKs) chart.series[2].points.emplace_back(k, mean.global);
    rows[0].push_back("@" + std::to_string(mean.k));
    rows[1].push_back(fixed(mean.local_over_windows, 3));
    rows[2].push_back(fixed(mean.local_over_tokens, 3));
    rows[3].push_back(mean.k <= kGlobalKs ? fixed(mean.global, 3) : "");
  }
  return section(
      "How near to left to right",
      "Local AR-ness@k: the share of tokens that were decided directly after their k left "
      "neighbours, in that order. Global AR-ness@k: the share of tokens that were among the k "
      "leftmost ones still open. A model that writes from left to right has 1 in both, over T \u2212 k.",
      draw(chart) + "<table>" + table_row("", rows[0]) +
          table_row("local, over T \u2212 k", rows[1]) + table_row("local, over T", rows[2]) +
          table_row("global", rows[3]) + "</table>");
}

std::string first_step_section(const Analysis& analysis) {
  LineChart chart = {.title = "Probability of the best token at the first step",
                     .x_label = "tokens from the hole's begin",
                     .series = {{"probability of the best token", {}}},
                     .x_ticks = {}};
  const int last = analysis.first_step.back().distance;
  const int every = std::max(1, (last + 8) / 8);
  for (const engine::FirstStepMean& mean : analysis.first_step) {
    chart.series[0].points.emplace_back(mean.distance, mean.probability);
    if (mean.distance % every == 0) chart.x_ticks.push_back(mean.distance);
  }
  return section("Where the model is sure before anything is decided",
                 "Mean over the set. Text next to a hole makes its neighbours easy and what is far "
                 "from it hard: the entropy sink.",
                 draw(chart));
}

std::string map_section(const Analysis& analysis) {
  HeatMap map = {.title = "Probability of the best token at each position and step",
                 .x_label = "position in the canvas",
                 .y_label = "step",
                 .rows = analysis.map.steps,
                 .columns = static_cast<int>(analysis.map.columns.size()),
                 .column_names = {},
                 .cells = {}};
  for (const std::string& name : analysis.map.columns) {
    std::string shown = name;
    std::replace(shown.begin(), shown.end(), ' ', '.');
    if (shown.empty()) shown = "\u2205";
    map.column_names.push_back(shown == "\n" ? "\u21B5" : shown);
  }
  for (const DecodeMap::Cell& cell : analysis.map.cells) {
    map.cells.push_back({cell.step, cell.column, cell.probability, cell.committed});
  }
  return section("How sure it became: " + analysis.inputs[analysis.example].name,
                 "Probability of the best token at every open position, step by step. Framed: "
                 "decided at this step.",
                 draw(map));
}

// The last or the first lines of a text.
std::string last_lines(const std::string& text) {
  std::size_t at = text.size();
  for (std::size_t i = 0; i < kContextLines && at != std::string::npos && at > 0; ++i) {
    at = text.rfind('\n', at - 1);
  }
  return at == std::string::npos || at == 0 ? text : "\u2026" + text.substr(at);
}

std::string first_lines(const std::string& text) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < kContextLines; ++i) {
    at = text.find('\n', at);
    if (at == std::string::npos) return text;
    ++at;
  }
  return text.substr(0, at) + "\u2026";
}

std::string token_markup(const DecodedToken& token, std::size_t n_tokens) {
  const double share =
      n_tokens > 1 ? static_cast<double>(token.order) / static_cast<double>(n_tokens - 1) : 0;
  std::string shown = token.text.empty() ? "\u2205" : "";
  for (const char c : token.text) {
    if (c == '\n') shown += "\u21B5";
    shown += c;
  }
  return "<span class=\"t\" style=\"--h:" + fixed(kLastHue * share, 0) + "\" title=\"decided as " +
         std::to_string(token.order + 1) + " of " + std::to_string(n_tokens) + ", step " +
         std::to_string(token.step + 1) + ", probability " + fixed(token.probability, 2) + "\">" +
         escape_markup(shown) + "</span>";
}

std::string code_section(const Analysis& analysis) {
  const DecodedInput& input = analysis.inputs[analysis.example];
  std::vector<DecodedToken> tokens = input.tokens;
  std::sort(tokens.begin(), tokens.end(), [](const DecodedToken& a, const DecodedToken& b) {
    return std::pair(a.hole, a.offset) < std::pair(b.hole, b.offset);
  });
  std::string code;
  auto token = tokens.begin();
  for (std::size_t i = 0; i < input.around.size(); ++i) {
    std::string text = input.around[i];
    if (i == 0) text = last_lines(text);
    if (i + 1 == input.around.size()) text = first_lines(text);
    code += "<span class=\"around\">" + escape_markup(text) + "</span>";
    for (; token != tokens.end() && token->hole == static_cast<int>(i); ++token) {
      code += token_markup(*token, tokens.size());
    }
  }
  return section("What was decided when: " + input.name,
                 "From red (first) to purple (last); point at a token for its step and "
                 "probability. \u2205 is a token that the model took back.",
                 "<div class=\"ends\"><span>first</span><span>last</span></div><div "
                 "class=\"key\"></div><pre>" +
                     code + "</pre>\n");
}

std::string sweep_section(const Analysis& analysis) {
  LineChart chart = {.title = "AR-ness and pass@k by temperature",
                     .x_label = "temperature",
                     .series = {{"local AR-ness@1", {}}, {"global AR-ness@1", {}}},
                     .x_ticks = {},
                     .x_digits = 2};
  for (const auto& [k, share] : analysis.sweep.front().pass_at) {
    chart.series.push_back({"pass@" + std::to_string(k), {}, true});
  }
  for (const SweepPoint& point : analysis.sweep) {
    const double x = point.temperature;
    chart.x_ticks.push_back(x);
    chart.series[0].points.emplace_back(x, point.ar_ness.front().local_over_windows);
    chart.series[1].points.emplace_back(x, point.ar_ness.front().global);
    for (std::size_t i = 0; i < point.pass_at.size(); ++i) {
      chart.series[2 + i].points.emplace_back(x, point.pass_at[i].second);
    }
  }
  const int tested = analysis.sweep.front().tested;
  return section("What temperature does",
                 "AR-ness@1 (local: over T \u2212 k) at each temperature." +
                     (tested > 0 ? " pass@k is that of the " + std::to_string(tested) +
                                       " inputs that have tests."
                                 : std::string()),
                 draw(chart));
}

}  // namespace

std::string html_page(const Analysis& analysis, const PageFacts& facts) {
  std::size_t tokens = 0;
  for (const DecodedInput& input : analysis.inputs) tokens += input.tokens.size();
  std::string html = kHead;
  html += "<h1>Decoding order</h1><p>" + escape_markup(facts.model) + " on " +
          grouped(analysis.inputs.size()) +
          (analysis.inputs.size() == 1 ? " input, " : " inputs, ") + grouped(tokens) + " tokens; " +
          escape_markup(facts.options) + ".</p>\n";
  html += code_section(analysis) + map_section(analysis) + ar_ness_section(analysis) +
          first_step_section(analysis);
  if (!analysis.sweep.empty()) html += sweep_section(analysis);
  return html + "</main></body></html>\n";
}

}  // namespace lacuna::cli
