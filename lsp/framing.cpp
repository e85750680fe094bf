#include "lsp/framing.h"

#include <algorithm>
#include <charconv>

namespace lacuna::lsp {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

Result<std::size_t> parse_length(std::string_view value, std::size_t max_body) {
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(value.begin(), value.end(), length);
  const bool too_large = error == std::errc::result_out_of_range;
  if (!too_large && (error != std::errc() || end != value.end())) {
    return fail(ErrorCode::InvalidInput,
                "Content-Length is '" + std::string(value.substr(0, 40)) + "', not a number");
  }
  if (too_large || length > max_body) {
    return fail(ErrorCode::InvalidInput, "a message of " + std::string(value.substr(0, 40)) +
                                             " bytes is larger than the limit of " +
                                             std::to_string(max_body));
  }
  return length;
}

}  // namespace

std::string frame(std::string_view body) {
  std::string framed = "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  framed += body;
  return framed;
}

void FrameReader::push(std::string_view bytes) {
  if (broken_) return;
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  buffer_ += bytes;
}

Result<void> FrameReader::read_header() {
  const std::string_view rest = std::string_view(buffer_).substr(begin_);
  const std::size_t end = rest.find("\r\n\r\n");
  if (std::min(end, rest.size()) > kMaxHeader) {
    return fail(ErrorCode::InvalidInput,
                "a message header is longer than " + std::to_string(kMaxHeader) + " bytes");
  }
  if (end == std::string_view::npos) return {};
  std::optional<std::size_t> length;
  for (std::size_t at = 0; at < end;) {
    const std::size_t line_end = std::min(rest.find(kLineEnd, at), end);
    const std::string_view line = rest.substr(at, line_end - at);
    at = line_end + kLineEnd.size();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return fail(ErrorCode::InvalidInput, "a line of a message header has no colon");
    }
    const std::string name = lower(trimmed(line.substr(0, colon)));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (name == "content-length") {
      const Result<std::size_t> parsed = parse_length(value, max_body_);
      if (!parsed) return parsed.error();
      if (length && *length != *parsed) {
        return fail(ErrorCode::InvalidInput, "a message header gives two different lengths");
      }
      length = *parsed;
    } else if (name == "content-type") {
      const std::string type = lower(value);
      const std::size_t charset = type.find("charset=");
      if (charset != std::string::npos && type.find("utf-8", charset) == std::string::npos &&
          type.find("utf8", charset) == std::string::npos) {
        return fail(ErrorCode::InvalidInput, "a message is not in UTF-8");
      }
    }
  }
  if (!length) return fail(ErrorCode::InvalidInput, "a message header has no Content-Length");
  length_ = length;
  begin_ += end + 2 * kLineEnd.size();
  return {};
}

Result<std::optional<std::string>> FrameReader::next() {
  if (broken_) return *broken_;
  if (!length_) {
    if (Result<void> read = read_header(); !read) {
      broken_ = read.error();
      buffer_ = {};
      begin_ = 0;
      return *broken_;
    }
  }
  if (!length_ || buffer_.size() - begin_ < *length_) return std::optional<std::string>();
  std::string body = buffer_.substr(begin_, *length_);
  begin_ += *length_;
  length_.reset();
  if (begin_ == buffer_.size()) {
    buffer_ = {};  // a large body must not stay in memory
    begin_ = 0;
  }
  return std::optional<std::string>(std::move(body));
}

}  // namespace lacuna::lsp
