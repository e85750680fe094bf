// Sources with a place marked in them: "f(«x»)" is the text "f(x)" and the bytes of x.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/outline.h"

namespace lacuna::grammar {

struct MarkedText {
  std::string text;
  std::vector<Span> spans;
};

inline MarkedText marked(std::string_view source) {
  constexpr std::string_view kOpen = "\u00AB";
  constexpr std::string_view kClose = "\u00BB";
  MarkedText result;
  while (!source.empty()) {
    if (source.starts_with(kOpen)) {
      result.spans.push_back({result.text.size(), result.text.size()});
      source.remove_prefix(kOpen.size());
    } else if (source.starts_with(kClose)) {
      result.spans.back().end = result.text.size();
      source.remove_prefix(kClose.size());
    } else {
      result.text += source.front();
      source.remove_prefix(1);
    }
  }
  return result;
}

// The same with spans marked: what a failed test shows.
inline std::string with_marks(std::string_view text, const std::vector<Span>& spans) {
  std::string result;
  std::size_t at = 0;
  for (const Span& span : spans) {
    result += text.substr(at, span.begin - at);
    result += "\u00AB";
    result += text.substr(span.begin, span.size());
    result += "\u00BB";
    at = span.end;
  }
  return result + std::string(text.substr(at));
}

inline const Grammar& grammar_named(std::string_view name) {
  return *grammar_of(language_named(name));
}

}  // namespace lacuna::grammar
