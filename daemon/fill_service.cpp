#include "daemon/fill_service.h"

#include "support/language.h"

namespace lacuna::daemon {

std::string_view name_of(Priority priority) {
  switch (priority) {
    case Priority::Interactive:
      return "interactive";
    case Priority::Requested:
      return "requested";
    case Priority::Background:
      return "background";
  }
  return "unknown";
}

std::string_view name_of(ModelPhase phase) {
  switch (phase) {
    case ModelPhase::Unloaded:
      return "unloaded";
    case ModelPhase::Loading:
      return "loading";
    case ModelPhase::Ready:
      return "ready";
    case ModelPhase::Failed:
      return "failed";
  }
  return "unknown";
}

const grammar::Grammar* checking_grammar(const FillOrder& order) {
  if (!order.syntax || order.options.exact) return nullptr;
  return grammar::grammar_of(language_named(order.language));
}

HoleSyntax FillAnswer::syntax_of(std::size_t alternative, std::size_t hole) const {
  if (alternative >= syntax.size() || hole >= syntax[alternative].size()) return {};
  return syntax[alternative][hole];
}

}  // namespace lacuna::daemon
