#include "engine/tokenizer/unicode.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utf8proc.h>
#include <vector>

#include "support/text.h"

namespace lacuna::engine {
namespace {

// Blocks whose characters all have NFC_Quick_Check=Yes and combining class 0, so that text made
// of them needs no work. Not complete: it has what source code, prose and emoji are made of.
struct Range {
  char32_t first;
  char32_t last;
};
constexpr std::array kNfcBoundaries = {
    Range{0x0000, 0x02FF},    // Latin, IPA
    Range{0x0376, 0x037D},    // Greek
    Range{0x038C, 0x0482},    // Greek, Cyrillic
    Range{0x048A, 0x0590},    // Cyrillic, Armenian
    Range{0x1E00, 0x1EFF},    // Latin
    Range{0x2010, 0x20CF},    // punctuation, currency
    Range{0x2190, 0x2328},    // arrows, mathematics
    Range{0x232B, 0x2ADB},    // box drawing, dingbats, mathematics
    Range{0x2E80, 0x3029},    // CJK radicals and punctuation
    Range{0x3030, 0x3098},    // Hiragana
    Range{0x309B, 0xA66E},    // Katakana, Han, Yi
    Range{0xAC00, 0xD7A3},    // Hangul syllables
    Range{0xFF00, 0xFFEF},    // full width
    Range{0x1F000, 0x1FAFF},  // emoji
    Range{0x20000, 0x2F7FF},  // Han
};

bool is_ascii8(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return (word & 0x8080808080808080U) == 0;
}

void append_utf8(char32_t code_point, std::string& out) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes.data());
  out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
}

int combining_class(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// Canonical ordering. utf8proc has its own inside utf8proc_decompose(), but that one is an
// exchange sort, quadratic in the length of a run of marks.
void order_marks(std::vector<utf8proc_int32_t>& text) {
  const auto is_mark = [](utf8proc_int32_t c) { return combining_class(c) != 0; };
  auto run = text.begin();
  while (true) {
    run = std::find_if(run, text.end(), is_mark);
    if (run == text.end()) return;
    const auto end = std::find_if_not(run, text.end(), is_mark);
    std::stable_sort(run, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    run = end;
  }
}

void append_nfc(std::string_view text, std::string& out) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  std::vector<utf8proc_int32_t> code_points;
  code_points.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Char c = decode_char(text, at);
    at += c.length;
    std::array<utf8proc_int32_t, 8> parts{};  // canonical decompositions have at most four
    int boundary_class = 0;
    const auto n = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c.code_point), parts.data(),
        static_cast<utf8proc_ssize_t>(parts.size()), kOptions, &boundary_class);
    code_points.insert(code_points.end(), parts.begin(), parts.begin() + n);
  }
  order_marks(code_points);
  const auto length = utf8proc_normalize_utf32(
      code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()), kOptions);
  code_points.resize(static_cast<std::size_t>(length));
  for (const utf8proc_int32_t c : code_points) append_utf8(static_cast<char32_t>(c), out);
}

// The end of the run of boundary characters that starts at `at`, and the start of its last one
// (`at` when there is none). What follows may compose with that last one.
struct Run {
  std::size_t end;
  std::size_t last;
};
Run skip_boundaries(std::string_view text, std::size_t at) {
  Run run{at, at};
  while (run.end < text.size()) {
    while (run.end + 8 <= text.size() && is_ascii8(text.data() + run.end)) {
      run.end += 8;
      run.last = run.end - 1;
    }
    if (run.end == text.size()) break;
    const Char c = decode_char(text, run.end);
    if (!is_nfc_boundary(c.code_point)) break;
    run.last = run.end;
    run.end += c.length;
  }
  return run;
}

}  // namespace

Char decode_char(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const auto tail = [&](std::size_t i) { return static_cast<char32_t>(byte(i) & 0x3FU); };
  if (lead < 0xE0) return {((lead & 0x1FU) << 6) | tail(1), 2};
  if (lead < 0xF0) return {((lead & 0x0FU) << 12) | (tail(1) << 6) | tail(2), 3};
  return {((lead & 0x07U) << 18) | (tail(1) << 12) | (tail(2) << 6) | tail(3), 4};
}

CharClass char_class(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharClass::Letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharClass::Number;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return CharClass::Space;
    default:  // of the control characters only these are White_Space
      return (c >= 0x09 && c <= 0x0D) || c == 0x85 ? CharClass::Space : CharClass::Other;
  }
}

bool is_word_char(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return char_class(c) == CharClass::Letter;
  }
}

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (at + 8 <= text.size() && is_ascii8(text.data() + at)) {
      at += 8;
      continue;
    }
    const std::size_t length = utf8_sequence_length(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

bool is_nfc_boundary(char32_t c) {
  if (c <= kNfcBoundaries[0].last) return true;
  const auto* range = std::upper_bound(kNfcBoundaries.begin(), kNfcBoundaries.end(), c,
                                       [](char32_t x, const Range& r) { return x < r.first; });
  return c <= (range - 1)->last;
}

std::string_view to_nfc(std::string_view text, std::string& buffer) {
  Run run = skip_boundaries(text, 0);
  if (run.end == text.size()) return text;
  buffer.clear();
  buffer.reserve(text.size() + text.size() / 8);
  std::size_t copied = 0;
  while (run.end < text.size()) {
    // [run.last, end) is one boundary character, if there is any, and what may compose with it.
    std::size_t end = run.end;
    do {
      end += decode_char(text, end).length;
    } while (end < text.size() && !is_nfc_boundary(decode_char(text, end).code_point));
    buffer.append(text.substr(copied, run.last - copied));
    append_nfc(text.substr(run.last, end - run.last), buffer);
    copied = end;
    run = skip_boundaries(text, end);
  }
  buffer.append(text.substr(copied));
  return buffer;
}

}  // namespace lacuna::engine
