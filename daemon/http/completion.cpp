#include "daemon/http/completion.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "support/language.h"
#include "support/text.h"

namespace lacuna::daemon::http {
namespace {

// Plugins send a low temperature for a text that hardly varies: Continue 0.01, llama.vscode 0.1. In
// probabilities at such a temperature every position is sure, and the order in which positions are
// committed, which goes by them, means nothing.
constexpr double kLeastTemperature = 0.3;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// The end of the first line that is followed by one with less than `min_indent` white space, or
// npos. Blank lines count as indented.
std::size_t end_of_indented(std::string_view text, int min_indent) {
  for (std::size_t end = text.find('\n'); end != std::string_view::npos;
       end = text.find('\n', end + 1)) {
    const std::string_view line = text.substr(end + 1, text.find('\n', end + 1) - end - 1);
    const std::size_t indent = line.find_first_not_of(" \t\r");
    if (indent != std::string_view::npos && indent < static_cast<std::size_t>(min_indent)) {
      return end > 0 && text[end - 1] == '\r' ? end - 1 : end;
    }
  }
  return std::string_view::npos;
}

// What minuet writes into a comment in the first line: "language: NAME".
std::string_view language_comment(std::string_view text) {
  constexpr std::string_view kLabel = "language: ";
  const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
  const std::size_t at = line.find(kLabel);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = line.substr(at + kLabel.size());
  return rest.substr(0, rest.find(' '));
}

// What Continue writes into a comment before the text: the path of the file.
std::string_view path_comment(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return {};
  const std::string_view line = text.substr(begin, text.find_first_of("\r\n", begin) - begin);
  for (const std::string_view mark : {"# ", "// ", "-- "}) {
    if (!line.starts_with(mark)) continue;
    const std::string_view path = line.substr(mark.size());
    return path.find(' ') == std::string_view::npos ? path : std::string_view();
  }
  return {};
}

std::size_t without_partial_character(std::string_view text) {
  const std::size_t longest = std::min<std::size_t>(text.size(), 3);
  for (std::size_t back = 1; back <= longest; ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte < 0x80) return text.size();
    if (byte >= 0xC0) {  // a sequence begins here
      const bool whole = utf8_sequence_length(text.substr(text.size() - back)) == back;
      return whole ? text.size() : text.size() - back;
    }
  }
  return text.size();
}

}  // namespace

ShapedText shape(const Completion& completion, std::string_view fill) {
  ShapedText shaped;
  std::size_t end = fill.size();
  for (const std::string& stop : completion.stop) {
    const std::size_t at = stop.empty() ? std::string_view::npos : fill.find(stop);
    if (at >= end) continue;
    end = at;
    shaped.reason = StopReason::StopWord;
    shaped.stop_word = stop;
  }
  if (completion.min_indent > 0) {
    const std::size_t at = end_of_indented(fill.substr(0, end), completion.min_indent);
    if (at < end) {
      end = at;
      shaped.reason = StopReason::StopWord;
      shaped.stop_word.clear();
    }
  }
  shaped.text = fill.substr(0, end);
  return shaped;
}

bool is_single_line(const Completion& completion) {
  const std::string_view suffix = completion.suffix;
  if (!is_blank(suffix.substr(0, suffix.find('\n')))) return true;
  return std::any_of(completion.stop.begin(), completion.stop.end(),
                     [](const std::string& stop) { return stop == "\n" || stop == "\r\n"; });
}

std::string told_language(const Completion& completion) {
  for (const std::string_view name :
       {std::string_view(completion.language), language_comment(completion.prefix)}) {
    const auto* named = language_named(name);
    if (named != nullptr) return std::string(named->model_name);
  }
  for (const std::string_view path :
       {std::string_view(completion.path), path_comment(completion.prefix)}) {
    const auto* file = language_of_file(path, completion.prefix);
    if (file != nullptr) return std::string(file->model_name);
  }
  return "";
}

std::string language_of(const Completion& completion) {
  if (std::string told = told_language(completion); !told.empty()) return told;
  std::map<std::string, int> votes;
  for (const ContextPiece& piece : completion.context) {
    const auto* language = language_of_file(piece.path, {});
    if (language != nullptr) ++votes[std::string(language->model_name)];
  }
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == votes.end() ? "" : most->first;
}

FillOrder order_of(const Completion& completion, const Options& options, std::string document) {
  FillOrder order;
  order.session = document;
  order.document = std::move(document);
  order.text = completion.prefix + completion.suffix;
  std::size_t at = completion.prefix.size();
  // A hole must not lie within a line end; before it there is the same place.
  const bool within_line_end =
      at > 0 && at < order.text.size() && order.text[at - 1] == '\r' && order.text[at] == '\n';
  if (within_line_end) --at;
  order.holes.push_back({.begin = at, .end = at, .tokens = {}, .hint = {}});
  order.language = language_of(completion);
  order.context = completion.context;
  order.options = options.infill;
  // By the grammar of another language good fills would be withheld.
  order.syntax = options.syntax && !told_language(completion).empty();
  const std::int64_t most = options.infill.max_hole_tokens;
  order.options.max_hole_tokens = static_cast<int>(
      completion.max_tokens < 0 ? most : std::clamp<std::int64_t>(completion.max_tokens, 1, most));
  order.options.default_hole_tokens =
      std::min(order.options.default_hole_tokens, order.options.max_hole_tokens);
  order.options.single_line = is_single_line(completion);
  engine::SamplingOptions& sampling = order.options.sampling;
  if (completion.temperature >= kLeastTemperature) {
    sampling.temperature = static_cast<float>(std::min(completion.temperature, 2.0));
    if (completion.top_p && *completion.top_p > 0 && *completion.top_p < 1) {
      sampling.top_p = static_cast<float>(*completion.top_p);
    }
  }
  if (completion.seed != 0) sampling.seed = completion.seed;
  order.alternatives = completion.alternatives;
  return order;
}

std::string decided_prefix(const FillStep& step, int& tokens) {
  tokens = 0;
  std::string text;
  if (step.holes.empty()) return text;
  for (const engine::HoleToken& token : step.holes.front().tokens) {
    if (token.masked) break;
    text += token.text;
    ++tokens;
  }
  text.resize(without_partial_character(text));
  return text;
}

std::string GrowingText::advance(std::string_view prefix) {
  const ShapedText shaped = shape(completion_, prefix);
  std::size_t sure = shaped.text.size();
  if (shaped.reason != StopReason::StopWord) {
    // What may turn out to be the beginning of a stop word, or of a line that is not wanted.
    std::size_t longest = 0;
    for (const std::string& stop : completion_.stop) longest = std::max(longest, stop.size());
    sure -= std::min(sure, longest == 0 ? 0 : longest - 1);
    const std::size_t line_end = shaped.text.rfind('\n');
    if (completion_.min_indent > 0 && line_end != std::string::npos &&
        is_blank(std::string_view(shaped.text).substr(line_end))) {
      // With all blank lines before it: they belong to what follows.
      const std::size_t last = shaped.text.find_last_not_of(" \t\r\n");
      sure = std::min(sure, last == std::string::npos ? 0 : last + 1);
    }
    sure = without_partial_character(std::string_view(shaped.text).substr(0, sure));
  }
  const std::string_view text = std::string_view(shaped.text).substr(0, sure);
  const bool grows =
      text.size() > told_.size() && text.substr(0, told_.size()) == told_ && is_valid_utf8(text);
  if (!grows) return "";
  std::string fresh(text.substr(told_.size()));
  told_ += fresh;
  return fresh;
}

std::optional<std::string> GrowingText::finish(std::string_view whole) const {
  if (whole.substr(0, told_.size()) != told_) return {};
  return std::string(whole.substr(told_.size()));
}

}  // namespace lacuna::daemon::http
