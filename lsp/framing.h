// The base protocol of LSP: bodies of JSON, each behind a header with its length.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna::lsp {

// "Content-Length: N\r\n\r\n" and the body.
std::string frame(std::string_view body);

// Cuts a stream of bytes, in whatever pieces it comes, into bodies. Holds at most one body of
// max_body bytes, one header and what was pushed last.
class FrameReader {
 public:
  static constexpr std::size_t kMaxHeader = 4096;
  static constexpr std::size_t kMaxBody = std::size_t{64} << 20;

  explicit FrameReader(std::size_t max_body = kMaxBody) : max_body_(max_body) {}

  void push(std::string_view bytes);

  // The next body, or nothing when more bytes are needed. InvalidInput for a header that is too
  // long, has no length or a wrong one, or announces another charset than UTF-8: where the next
  // body would begin is then unknown, so every later call fails in the same way.
  Result<std::optional<std::string>> next();

  // Whether a body or header has begun and is not complete.
  bool in_the_middle() const { return begin_ < buffer_.size(); }

 private:
  Result<void> read_header();

  std::size_t max_body_;
  std::string buffer_;
  std::size_t begin_ = 0;              // of what has not been consumed
  std::optional<std::size_t> length_;  // of the body whose header was read
  std::optional<Error> broken_;
};

}  // namespace lacuna::lsp
