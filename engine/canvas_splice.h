// A canvas that changes its length.
#pragma once

namespace lacuna::engine {

// `removed` tokens from `begin` on make room for `inserted` others.
struct CanvasSplice {
  int begin;
  int removed;
  int inserted;
};

}  // namespace lacuna::engine
