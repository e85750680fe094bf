#include "cli/eval/holes_report.h"

#include <algorithm>
#include <random>
#include <set>

#include "cli/eval/eval_report.h"
#include "cli/eval/metrics.h"
#include "cli/format.h"
#include "cli/text_width.h"
#include "support/text.h"

namespace lacuna::cli {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

constexpr std::size_t kLeftColumns = 3;  // of the table: words, the others are numbers
constexpr std::size_t kLinesAround = 4;  // of a hole on the page
constexpr const char* kNothing = "–";

std::string per_cent(int right, int n) {
  return n == 0 ? kNothing : fixed(100.0 * right / n, 1) + " %";
}

std::string per_cent_with_interval(int right, int n) {
  if (n == 0) return kNothing;
  const Interval interval = wilson_interval(right, n);
  return per_cent(right, n) + " (" + fixed(100 * interval.low, 0) + "–" +
         fixed(100 * interval.high, 0) + ")";
}

std::vector<std::string> languages_of(std::span<const HoleResult> results) {
  std::set<std::string> languages;
  for (const HoleResult& result : results) languages.insert(result.asked.document->language);
  return {languages.begin(), languages.end()};
}

std::string table_of(const std::vector<Row>& rows) {
  std::vector<int> widths(rows.front().size(), 3);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  const auto line = [&](const Row& row) {
    std::string text = "|";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(static_cast<std::size_t>(widths[i] - display_width(row[i])), ' ');
      text += i < kLeftColumns ? " " + row[i] + space + " |" : " " + space + row[i] + " |";
    }
    return text + "\n";
  };
  std::string text = line(rows.front()) + "|";
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string dashes(static_cast<std::size_t>(widths[i] + 1), '-');
    text += i < kLeftColumns ? dashes + "-|" : dashes + ":|";
  }
  text += "\n";
  for (std::size_t i = 1; i < rows.size(); ++i) text += line(rows[i]);
  return text;
}

// Of single tokens, where these were asked for.
std::string bits_cell(const HolesReport& report, const HolesSummary& summary) {
  for (std::size_t i = 0; i < report.kinds.size(); ++i) {
    if (report.kinds[i] == HoleKind::Token && summary.kinds[i].bits > 0) {
      return fixed(summary.kinds[i].bits, 2);
    }
  }
  return kNothing;
}

// Of all kinds together.
std::string parses_cell(const HolesSummary& summary, bool with_interval) {
  int judged = 0;
  int parses = 0;
  for (const KindSummary& kind : summary.kinds) {
    judged += kind.judged;
    parses += kind.parses;
  }
  return with_interval ? per_cent_with_interval(parses, judged) : per_cent(parses, judged);
}

std::vector<Row> rows_of(const HolesReport& report) {
  Row head = {"language", "copies", "length", "bits"};
  for (const HoleKind kind : report.kinds) head.emplace_back(name_of(kind));
  head.insert(head.end(), {"parses", "passes", "seconds"});
  std::vector<Row> rows = {std::move(head)};
  const std::vector<HolesSetting> settings = settings_of(report.plan);
  const auto add = [&](const std::string& language) {
    for (std::size_t s = 0; s < settings.size(); ++s) {
      const HolesSummary summary =
          summarise_holes(report.plan, report.results, report.kinds, s, language);
      Row row = {language.empty() ? "all" : language, settings[s].copy, settings[s].length.name(),
                 bits_cell(report, summary)};
      for (const KindSummary& kind : summary.kinds) {
        row.push_back(language.empty() ? per_cent_with_interval(kind.exact, kind.holes)
                                       : per_cent(kind.exact, kind.holes));
      }
      row.push_back(parses_cell(summary, language.empty()));
      row.push_back(fixed(summary.forward_passes, 1));
      row.push_back(fixed(summary.seconds, 3));
      rows.push_back(std::move(row));
    }
  };
  add("");
  for (const std::string& language : languages_of(report.results)) add(language);
  return rows;
}

std::string counts_of(const HolesReport& report) {
  std::string counts;
  for (const HoleKind kind : report.kinds) {
    const auto n = std::count_if(report.results.begin(), report.results.end(),
                                 [&](const HoleResult& it) { return it.asked.kind == kind; });
    counts += (counts.empty() ? "" : ", ") + std::string(name_of(kind)) + " " +
              grouped(static_cast<std::uint64_t>(n));
  }
  std::set<const SourceDocument*> files;
  for (const HoleResult& result : report.results) files.insert(result.asked.document);
  const auto parsed = std::count_if(report.results.begin(), report.results.end(),
                                    [](const HoleResult& it) { return it.parsed; });
  return counts + " in " + grouped(files.size()) + " files, " +
         grouped(static_cast<std::uint64_t>(parsed)) + " of the holes in files that parse";
}

std::string notes_of(const HolesReport& report) {
  std::string notes;
  const std::vector<HolesSetting> settings = settings_of(report.plan);
  for (std::size_t s = 0; s < settings.size(); ++s) {
    const HolesSummary summary = summarise_holes(report.plan, report.results, report.kinds, s, "");
    int did_not_fit = 0;
    for (const KindSummary& kind : summary.kinds) did_not_fit += kind.did_not_fit;
    if (did_not_fit == 0) continue;
    notes += "copies " + settings[s].copy + ", length " + settings[s].length.name() + ": " +
             std::to_string(did_not_fit) +
             " did not fit the model's context; such answers count as wrong\n";
  }
  return notes;
}

// Names of files may hold anything.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : replace_invalid_utf8(text)) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '`' ? '?' : c;
  }
  return out;
}

// The longest run of backquotes in a text, and one more; `least` at least.
std::string fence_for(std::string_view text, std::size_t least) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return std::string(std::max(least, longest + 1), '`');
}

std::string block(const std::string& language, const std::string& text) {
  const std::string fence = fence_for(text, 3);
  return fence + language + "\n" + text + (text.ends_with('\n') ? "" : "\n") + fence + "\n";
}

// A fill within a line.
std::string inline_code(const std::string& text) {
  if (text.empty()) return "*(nothing)*";
  std::string shown;
  for (const char c : replace_invalid_utf8(text)) {
    if (c == '\n') {
      shown += "⏎";
    } else {
      shown += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? '?' : c;
    }
  }
  const std::string fence = fence_for(shown, 1);
  // A blank on each side of the text is not shown.
  return fence + " " + shown + " " + fence;
}

// The hole in double brackets, with some lines around it.
std::string around(const HoleCase& hole) {
  const std::string& text = hole.document->text;
  std::size_t begin = hole.place.begin;
  for (std::size_t n = 0; begin > 0; --begin) {
    if (text[begin - 1] == '\n' && ++n > kLinesAround) break;
  }
  std::size_t end = hole.place.end;
  for (std::size_t n = 0; end < text.size(); ++end) {
    if (text[end] == '\n' && ++n > kLinesAround) break;
  }
  return text.substr(begin, hole.place.begin - begin) + "⟦" + hole.answer + "⟧" +
         text.substr(hole.place.end, end - hole.place.end);
}

std::string sample_of(const HolesReport& report, const HoleResult& result, std::size_t number) {
  const HoleCase& hole = result.asked;
  const auto line =
      std::count(hole.document->text.begin(),
                 hole.document->text.begin() + static_cast<std::ptrdiff_t>(hole.place.begin),
                 '\n') +
      1;
  std::string text = "\n### " + std::to_string(number) + ". " + std::string(name_of(hole.kind)) +
                     ", `" + printable(hole.document->name) + ":" + std::to_string(line) + "`\n\n" +
                     block(hole.document->language, around(hole)) + "\n";
  const std::vector<HolesSetting> settings = settings_of(report.plan);
  for (std::size_t s = 0; s < settings.size(); ++s) {
    const Sample& sample = result.answers[s];
    text += "- copies " + settings[s].copy + ", length " + settings[s].length.name() + ", " +
            (sample.exact ? "as it was: " : "other: ") +
            (sample.error.empty() ? inline_code(sample.completion) : sample.error) + "\n";
  }
  return text;
}

Json kind_json(const KindSummary& kind) {
  const Interval interval =
      kind.holes == 0 ? Interval{.low = 0, .high = 1} : wilson_interval(kind.exact, kind.holes);
  return {{"holes", kind.holes},
          {"exact", kind.exact},
          {"low", interval.low},
          {"high", interval.high},
          {"did_not_fit", kind.did_not_fit},
          {"judged", kind.judged},
          {"parses", kind.parses},
          {"bits_per_token", kind.bits},
          {"length_error", kind.length_error}};
}

Json rows_json(const HolesReport& report) {
  Json rows = Json::array();
  std::vector<std::string> languages = languages_of(report.results);
  languages.insert(languages.begin(), "");
  const std::vector<HolesSetting> settings = settings_of(report.plan);
  for (const std::string& language : languages) {
    for (std::size_t s = 0; s < settings.size(); ++s) {
      const HolesSummary summary =
          summarise_holes(report.plan, report.results, report.kinds, s, language);
      Json kinds = Json::object();
      for (std::size_t k = 0; k < report.kinds.size(); ++k) {
        kinds[std::string(name_of(report.kinds[k]))] = kind_json(summary.kinds[k]);
      }
      rows.push_back({{"language", language.empty() ? Json() : Json(language)},
                      {"copy", settings[s].copy},
                      {"length", settings[s].length.name()},
                      {"kinds", std::move(kinds)},
                      {"forward_passes", summary.forward_passes},
                      {"seconds", summary.seconds}});
    }
  }
  return rows;
}

Json case_json(const HolesReport& report, const HoleResult& result) {
  const std::vector<HolesSetting> settings = settings_of(report.plan);
  Json fills = Json::array();
  for (std::size_t s = 0; s < settings.size(); ++s) {
    Json fill = {{"copy", settings[s].copy}, {"length", settings[s].length.name()}};
    fill.update(sample_json(result.answers[s]));
    fill["parses"] = result.parsed ? Json(static_cast<bool>(result.parses[s])) : Json();
    fills.push_back(std::move(fill));
  }
  return {{"file", result.asked.document->name},
          {"language", result.asked.document->language},
          {"kind", name_of(result.asked.kind)},
          {"begin", result.asked.place.begin},
          {"end", result.asked.place.end},
          {"answer", result.asked.answer},
          {"answer_tokens", result.answer_tokens},
          {"bits", result.bits},
          {"fills", std::move(fills)}};
}

}  // namespace

std::string holes_table(const HolesReport& report) {
  return counts_of(report) + "; " + report.model.place.name + " in " +
         describe(report.model.numbers) + ", seed " +
         std::to_string(report.plan.options.common.seed) + "\n\n" + table_of(rows_of(report)) +
         notes_of(report);
}

std::string holes_page(const HolesReport& report, int show) {
  std::vector<std::size_t> order(report.results.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const std::size_t n = std::min(order.size(), static_cast<std::size_t>(show));
  std::mt19937_64 random(report.plan.options.common.seed);
  for (std::size_t i = 0; i < n; ++i) std::swap(order[i], order[i + random() % (order.size() - i)]);
  std::string text = "# Fills of " + printable(report.model.place.name) + "\n\n" +
                     holes_table(report) + "\n" + std::to_string(n) +
                     " of these holes, chosen at random. What stood there is in ⟦ ⟧; ⏎ is a line "
                     "end.\n";
  for (std::size_t i = 0; i < n; ++i) text += sample_of(report, report.results[order[i]], i + 1);
  return text;
}

std::string holes_json(const HolesReport& report) {
  Json cases = Json::array();
  for (const HoleResult& result : report.results) cases.push_back(case_json(report, result));
  const Json json = {{"task", "holes"},
                     {"paths", std::vector<std::string>(report.paths.begin(), report.paths.end())},
                     {"limit", report.limit},
                     {"seed", report.plan.options.common.seed},
                     {"model", model_json(report.model)},
                     {"options", options_json(report.plan.options)},
                     {"rows", rows_json(report)},
                     {"cases", std::move(cases)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lacuna::cli
