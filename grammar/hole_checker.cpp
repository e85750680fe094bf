#include "grammar/hole_checker.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "grammar/checker/chart.h"

namespace lacuna::grammar {
namespace {

// Holes that touch, or that only space lies between, are one: it may become the space too.
PartialText join(std::span<const Piece> pieces) {
  PartialText text;
  std::size_t solid = 0;  // length up to the last byte that is not space
  for (const Piece& piece : pieces) {
    if (!piece.hole) {
      for (const char c : piece.text) {
        text.push_back(static_cast<std::uint8_t>(c));
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') solid = text.size();
      }
    } else if (solid > 0 && text[solid - 1] == kHole) {
      text.resize(solid);
    } else {
      text.push_back(kHole);
      solid = text.size();
    }
  }
  return text;
}

// Some milliseconds to make, and the same for all checkers of a language.
const ItemMasks& masks_of(const GrammarTables& tables) {
  static std::mutex mutex;
  static std::map<const GrammarTables*, std::unique_ptr<const ItemMasks>> all;
  const std::lock_guard lock(mutex);
  std::unique_ptr<const ItemMasks>& masks = all[&tables];
  if (!masks) masks = std::make_unique<const ItemMasks>(tables);
  return *masks;
}

}  // namespace

struct HoleChecker::State {
  State(const GrammarTables& tables, const Options& wanted)
      : options(wanted),
        automaton(tables),
        lexer(tables, automaton, wanted.mode == HoleMode::Open),
        chart(masks_of(tables), lexer) {}

  Options options;
  TokenAutomaton automaton;
  Lexer lexer;
  Chart chart;
};

HoleChecker::HoleChecker(std::unique_ptr<State> state) : state_(std::move(state)) {}
HoleChecker::~HoleChecker() = default;

std::unique_ptr<HoleChecker> HoleChecker::make(std::string_view language, Options options) {
  const GrammarTables* tables = find_tables(std::string(language).c_str());
  if (tables == nullptr) return nullptr;
  return std::unique_ptr<HoleChecker>(new HoleChecker(std::make_unique<State>(*tables, options)));
}

Verdict HoleChecker::check(std::span<const Piece> pieces) {
  switch (state_->chart.run(join(pieces), state_->options.budget)) {
    case Chart::Result::Accepted:
      return Verdict::Possible;
    case Chart::Result::Rejected:
      return Verdict::Impossible;
    case Chart::Result::OutOfBudget:
      break;
  }
  return Verdict::Unknown;
}

HoleChecker::Work HoleChecker::work() const {
  return {state_->chart.steps(), state_->chart.places(), state_->chart.kept_places()};
}

}  // namespace lacuna::grammar
