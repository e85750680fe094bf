// What all the protocols' requests come down to: a text before a hole and one after it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/fill_service.h"
#include "daemon/http/options.h"

namespace lacuna::daemon::http {

struct Completion {
  std::string prefix;
  std::string suffix;
  std::vector<ContextPiece> context;
  std::string path;             // of the file, where the client tells
  std::string language;         // by any name that support/language.h knows; may be empty
  std::int64_t max_tokens = 0;  // 0: nothing is wanted; below: as many as the server allows
  int alternatives = 1;
  std::vector<std::string> stop;  // the text ends before the first of them
  int min_indent = 0;             // the text ends before a line, not its first, with less
  double deadline_seconds = 0;    // after which whole lines are taken as they are; 0: none
  bool stream = false;
  double temperature = 0;
  std::optional<double> top_p;
  std::uint64_t seed = 0;
};

enum class StopReason : std::uint8_t {
  End,       // the fill is complete
  Limit,     // it has as many tokens as it may have, or the time was up
  StopWord,  // or a line with too little indentation
};

struct ShapedText {
  std::string text;
  StopReason reason = StopReason::End;
  std::string stop_word;  // of StopReason::StopWord; empty for an indentation
};

// `fill` as far as the request wants it.
ShapedText shape(const Completion& completion, std::string_view fill);

// Whether the hole lies within a line: what is right of it on its line is not blank, or a line end
// is a stop word. Its fill must not have a line end.
bool is_single_line(const Completion& completion);

// The language of the hole's file: as the client calls it, by the file's path or its first line.
// Empty when nothing tells.
std::string told_language(const Completion& completion);

// That, or else what most pieces of context are written in.
std::string language_of(const Completion& completion);

// The order for the engine: one hole, of a length that the engine finds, up to max_tokens.
// `document` distinguishes requests: no order supersedes another one's.
FillOrder order_of(const Completion& completion, const Options& options, std::string document);

// The text that is decided from the begin of the order's only hole up to its first mask, whole
// characters only. Sets `tokens` to how many.
std::string decided_prefix(const FillStep& step, int& tokens);

// The parts of a text that grows at its end, each told once, as far as later text cannot change
// what is to be shown of them.
class GrowingText {
 public:
  // The completion outlives this.
  explicit GrowingText(const Completion& completion) : completion_(completion) {}

  // What is new in `prefix`, a beginning of the fill.
  std::string advance(std::string_view prefix);
  // What is missing of the whole text. Nothing when it does not begin with what was told.
  std::optional<std::string> finish(std::string_view whole) const;

 private:
  const Completion& completion_;
  std::string told_;
};

}  // namespace lacuna::daemon::http
