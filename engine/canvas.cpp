#include "engine/canvas.h"

#include <algorithm>

#include "engine/copy_source.h"

namespace lacuna::engine {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// Text taken per wanted token of context. Code has 3 to 4 bytes a token; what is too much is cut
// by tokens afterwards.
constexpr std::size_t kBytesPerToken = 8;

void append_with_unix_line_ends(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i];
  }
}

std::size_t line_start(std::string_view text, std::size_t at) {
  const std::size_t newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  return newline == std::string_view::npos ? 0 : newline + 1;
}

// A comment line to be shown above the line that starts at `offset`.
struct HintLine {
  std::size_t offset;
  std::string line;
};

// A hole may begin on the last line of another hole: the hint goes above the line on which that
// one begins, where there is text to put it into.
std::size_t hint_offset(const CanvasSource& source, int hole_idx) {
  std::size_t offset = line_start(source.text, source.holes[hole_idx].begin);
  for (int i = hole_idx - 1; i >= 0 && source.holes[i].end > offset; --i) {
    if (source.holes[i].begin < offset) offset = line_start(source.text, source.holes[i].begin);
  }
  return offset;
}

std::vector<HintLine> hint_lines(const CanvasSource& source, int first, int end) {
  std::vector<HintLine> lines;
  for (int i = first; i < end; ++i) {
    if (source.holes[i].hint.empty()) continue;
    const std::size_t offset = hint_offset(source, i);
    const std::size_t text_begin = source.text.find_first_not_of(" \t", offset);
    const std::size_t indent_end = std::min(text_begin, source.holes[i].begin);
    std::string line(source.text.substr(offset, std::max(indent_end, offset) - offset));
    line += source.line_comment.empty() ? "#" : source.line_comment;
    line += " " + source.holes[i].hint + "\n";
    lines.push_back({offset, std::move(line)});
  }
  return lines;
}

// Bytes [begin, end) of the text as the model sees them.
std::string visible(const CanvasSource& source, std::span<const HintLine> hints, std::size_t begin,
                    std::size_t end) {
  std::string out;
  std::size_t at = begin;
  if (begin == 0 && source.text.starts_with(kByteOrderMark)) {
    at = std::min(end, kByteOrderMark.size());
  }
  for (const HintLine& hint : hints) {
    if (hint.offset < begin || hint.offset > end) continue;
    // Two pieces may share a border only at a hole; the hint belongs before its hole.
    if (hint.offset == begin && begin != 0) continue;
    const std::size_t offset = std::max(hint.offset, at);
    append_with_unix_line_ends(source.text.substr(at, offset - at), out);
    out += hint.line;
    at = offset;
  }
  append_with_unix_line_ends(source.text.substr(at, end - at), out);
  return out;
}

struct Context {
  std::string text;
  bool complete;  // reaches the border of the file
};

// The text before hole `first`: at least max_bytes of it, or all.
Context text_before(const CanvasSource& source, std::span<const HintLine> hints, int first,
                    std::size_t max_bytes) {
  std::string text;
  for (int i = first;; --i) {
    const std::size_t begin = i == 0 ? 0 : source.holes[i - 1].end;
    const std::size_t end = source.holes[i].begin;
    const std::size_t room = max_bytes - std::min(max_bytes, text.size());
    if (end - begin > room) {
      // From the start of a line: a cut inside a character or a word would only mislead.
      const std::size_t newline = source.text.find('\n', end - room);
      const std::size_t from = newline < end ? newline + 1 : end - room;
      return {visible(source, hints, from, end) + text, false};
    }
    text.insert(0, visible(source, hints, begin, end));
    if (i == 0) return {std::move(text), true};
    std::string fill;
    append_with_unix_line_ends(source.filled[i - 1], fill);
    text.insert(0, fill);
  }
}

Context text_after(const CanvasSource& source, int last, std::size_t max_bytes) {
  std::string text;
  for (std::size_t i = last;; ++i) {
    const bool tail = i + 1 == source.holes.size();
    const std::size_t begin = source.holes[i].end;
    const std::size_t end = tail ? source.text.size() : source.holes[i + 1].begin;
    const std::size_t room = max_bytes - std::min(max_bytes, text.size());
    text += visible(source, {}, begin, begin + std::min(room, end - begin));
    if (end - begin > room) return {std::move(text), false};
    if (tail) return {std::move(text), true};
  }
}

int hole_tokens(const CanvasSource& source, int hole_idx) {
  return source.holes[hole_idx].tokens.value_or(source.default_hole_tokens);
}

using Tokens = std::vector<std::int32_t>;

// How a file is framed: our own models name the tokens in config.json; others get the begin and
// end of text tokens where the file begins and ends.
struct Frame {
  std::optional<std::int32_t> begin, language, end;
};

Frame frame_of(const Model& model, std::string_view language) {
  const ModelConfig& config = model.config();
  if (!config.document_format) {
    return {.begin = config.bos_token, .language = {}, .end = config.eos_token};
  }
  const DocumentFormat& format = *config.document_format;
  const auto named = format.languages.find(std::string(language));
  return {.begin = format.begin,
          .language =
              named != format.languages.end() ? std::optional(named->second) : format.any_language,
          .end = format.end};
}

// The holes of one canvas with the tokens between them.
struct Group {
  int first;
  int end;  // one past the last hole
  int size;
  std::vector<Tokens> between;  // between[i] stands before hole first + 1 + i
};

Result<Group> group_holes(const Model& model, const CanvasSource& source, int room) {
  const int first = static_cast<int>(source.filled.size());
  Group group{.first = first, .end = first + 1, .size = hole_tokens(source, first), .between = {}};
  if (group.size > room) {
    return fail(ErrorCode::InvalidInput,
                "a hole of " + std::to_string(group.size) + " tokens does not fit the canvas of " +
                    std::to_string(source.max_tokens) +
                    " tokens with text around it; the limit is " + std::to_string(room));
  }
  const int limit = source.max_tokens * 3 / 4;
  for (int next = group.end; next < static_cast<int>(source.holes.size()); ++next) {
    const std::size_t begin = source.holes[next - 1].end;
    const std::size_t end = source.holes[next].begin;
    if (end - begin > static_cast<std::size_t>(limit) * kBytesPerToken) break;
    const std::vector<HintLine> hints = hint_lines(source, next, next + 1);
    Tokens between = model.tokenizer()->encode(visible(source, hints, begin, end));
    const int size = static_cast<int>(between.size()) + hole_tokens(source, next);
    if (group.size + size > limit) break;
    group.size += size;
    group.end = next + 1;
    group.between.push_back(std::move(between));
  }
  return group;
}

void append_holes(const Model& model, const CanvasSource& source, const Group& group,
                  Canvas& canvas) {
  for (int i = group.first; i < group.end; ++i) {
    if (i > group.first) {
      const Tokens& between = group.between[i - group.first - 1];
      canvas.tokens.insert(canvas.tokens.end(), between.begin(), between.end());
    }
    const int length = hole_tokens(source, i);
    canvas.holes.push_back(
        {.hole_idx = i, .begin = static_cast<int>(canvas.tokens.size()), .length = length});
    canvas.tokens.insert(canvas.tokens.end(), static_cast<std::size_t>(length), model.mask_token());
  }
}

// The text around the holes of a group that was read for its canvas.
struct Surroundings {
  std::span<const HintLine> hints;
  std::size_t bytes_before;
  std::size_t bytes_after;
  std::span<const std::int32_t> unused_before;  // tokens for which there was no room
  std::span<const std::int32_t> unused_after;
};

// What the file has beyond the canvas.
Tokens tokens_beyond(const Model& model, const CanvasSource& source, const Group& group,
                     const Surroundings& read) {
  const auto limit = static_cast<std::size_t>(source.beyond_bytes);
  const std::string before =
      text_before(source, read.hints, group.first, read.bytes_before + limit).text;
  const std::string after = text_after(source, group.end - 1, read.bytes_after + limit).text;
  Tokens beyond;
  const auto add = [&](std::span<const std::int32_t> piece) {
    if (piece.empty()) return;
    if (!beyond.empty()) beyond.push_back(CopySource::kBreak);
    beyond.insert(beyond.end(), piece.begin(), piece.end());
  };
  if (after.size() > read.bytes_after) {
    add(model.tokenizer()->encode(std::string_view(after).substr(read.bytes_after)));
  }
  add(read.unused_after);
  if (before.size() > read.bytes_before) {
    const std::size_t far = before.size() - read.bytes_before;
    add(model.tokenizer()->encode(std::string_view(before).substr(0, far)));
  }
  add(read.unused_before);
  return beyond;
}

// The end of the context that fits into `max_tokens`, from the start of a line.
Tokens context_tokens(const Model& model, std::string_view context, int max_tokens) {
  std::string text;
  append_with_unix_line_ends(context, text);
  const std::size_t max_bytes = static_cast<std::size_t>(max_tokens) * kBytesPerToken;
  std::size_t from = text.size() > max_bytes ? line_start(text, text.size() - max_bytes) : 0;
  for (;;) {
    Tokens tokens = model.tokenizer()->encode(std::string_view(text).substr(from));
    if (tokens.size() <= static_cast<std::size_t>(max_tokens)) return tokens;
    // About as many bytes as tokens are too many, at least one line.
    const std::size_t next =
        text.find('\n', from + (tokens.size() - static_cast<std::size_t>(max_tokens)));
    if (next == std::string::npos) return {};
    from = next + 1;
  }
}

}  // namespace

Result<Canvas> build_canvas(const Model& model, const CanvasSource& source) {
  constexpr int kFrameTokens = 3;
  const int room = source.max_tokens - kFrameTokens;
  const Result<Group> group = group_holes(model, source, room - 1);
  if (!group) return group.error();

  const Tokens others =
      context_tokens(model, source.context, std::min(source.max_tokens, room - group->size) / 4);
  const auto rest = static_cast<std::size_t>(room - group->size) - others.size();
  const std::vector<HintLine> hints = hint_lines(source, group->first, group->end);
  const std::size_t max_bytes = rest * kBytesPerToken;
  const Context before = text_before(source, hints, group->first, max_bytes);
  const Context after = text_after(source, group->end - 1, max_bytes);
  const Tokens prefix = model.tokenizer()->encode(before.text);
  const Tokens suffix = model.tokenizer()->encode(after.text);
  // What one side does not need, the other gets.
  const std::size_t left_for_prefix = rest - std::min(rest, suffix.size());
  const std::size_t n_prefix = std::min(prefix.size(), std::max(rest * 3 / 5, left_for_prefix));
  const std::size_t n_suffix = std::min(suffix.size(), rest - n_prefix);

  Canvas canvas;
  const Frame frame = frame_of(model, source.language);
  const bool from_start = before.complete && n_prefix == prefix.size();
  if (frame.begin && from_start) canvas.tokens.push_back(*frame.begin);
  if (frame.language) canvas.tokens.push_back(*frame.language);
  canvas.tokens.insert(canvas.tokens.end(), others.begin(), others.end());
  canvas.tokens.insert(canvas.tokens.end(), prefix.end() - static_cast<std::ptrdiff_t>(n_prefix),
                       prefix.end());
  if (canvas.tokens.empty()) {
    // No frame and nothing before the hole: an empty line, rather than a mask that no row predicts.
    const Tokens newline = model.tokenizer()->encode("\n");
    canvas.tokens.push_back(frame.end ? *frame.end : newline.front());
  }
  append_holes(model, source, *group, canvas);
  canvas.tokens.insert(canvas.tokens.end(), suffix.begin(),
                       suffix.begin() + static_cast<std::ptrdiff_t>(n_suffix));
  if (frame.end && after.complete && n_suffix == suffix.size()) canvas.tokens.push_back(*frame.end);
  if (source.beyond_bytes > 0) {
    canvas.beyond =
        tokens_beyond(model, source, *group,
                      {.hints = hints,
                       .bytes_before = before.text.size(),
                       .bytes_after = after.text.size(),
                       .unused_before = std::span(prefix).first(prefix.size() - n_prefix),
                       .unused_after = std::span(suffix).subspan(n_suffix)});
  }
  return canvas;
}

}  // namespace lacuna::engine
