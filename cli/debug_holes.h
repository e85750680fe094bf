// `lacuna debug holes`: what the grammar would mask, as JSON. Needs no model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::cli {

struct HolesQuestion {
  std::string language;            // a name or alias
  std::vector<std::string> at;     // LINE:COL
  std::vector<std::string> spans;  // LINE:COL-LINE:COL
  std::vector<std::string> nodes;  // as holes_of_node() takes them
  bool stubs = false;
};

// {"language":"python","errors":[...],"holes":[{"begin":{...},"end":{...},"kind":"...","node":"...",
// "why":"...","item":"..."}]} and a line end. Without a place: the markers of the text, or its stubs.
Result<std::string> answer_holes(std::string_view text, const HolesQuestion& question);

}  // namespace lacuna::cli
