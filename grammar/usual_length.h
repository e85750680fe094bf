// How long what belongs in a hole usually is, by what kind of hole it is and by what stands on both
// sides of it: a prior for whoever chooses a length.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "grammar/holes.h"

namespace lacuna::grammar {

// What stands on one side of a hole on its line, apart from blanks.
enum class Edge : std::uint8_t {
  Line,    // nothing: the line begins or ends here
  InWord,  // a letter, a digit or _, without a blank between
  Word,    // the same behind a blank
  Dot,     // . :: -> ?.
  Open,    // ( [ {
  Close,   // ) ] }
  Comma,   // , ;
  Assign,  // = := += => :
  Quote,
  Other,
};

struct HoleShape {
  HoleKind kind = HoleKind::Other;
  Edge before = Edge::Line;
  Edge after = Edge::Line;

  bool operator==(const HoleShape&) const = default;
};

// `kind` is what describe_holes() says of the hole.
HoleShape shape_of(std::string_view text, Span hole, HoleKind kind);

// Of the natural logarithm of bytes.
struct UsualLength {
  double mean;
  double deviation;
  int places;  // measured
};

// Measured on real files: usual_lengths.inc, which bench/hole_lengths writes. Where a shape was met
// too seldom in a language, that of all languages, then that of all holes of the kind. None for
// HoleKind::Other.
std::optional<UsualLength> usual_length(std::string_view language, const HoleShape& shape);

}  // namespace lacuna::grammar
