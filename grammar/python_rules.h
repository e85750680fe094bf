// What Python's compiler refuses though it parses: rules that can be seen from the tree alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/outline.h"

namespace lacuna::grammar {

struct RuleError {
  Span span;
  std::string what;  // as Python says it: "'return' outside function", ...

  bool operator==(const RuleError&) const = default;
};

// In the order of the text. `return`, `yield`, `await`, `async for`, `async with`, `break`, `continue`
// and `nonlocal` where they may not stand; parameters with one name, and those without a default
// behind one with; arguments by place behind those by name, and names given twice; `import *` in a
// function; statements of Python 2. Not what needs to know names, such as `nonlocal x` where no
// function around has an x, or assignments before `global`.
std::vector<RuleError> python_rule_errors(std::string_view text, const SyntaxTree& tree);

}  // namespace lacuna::grammar
