#include "engine/tokenizer/unicode.h"

#include <cstdlib>
#include <set>
#include <utf8proc.h>

#include <gtest/gtest.h>

#include "tests/engine/tokenizer/random_text.h"

namespace lacuna::engine {
namespace {

constexpr utf8proc_int32_t kLastCodePoint = 0x10FFFF;

// NFC by the library in one go: what to_nfc() must equal.
std::string reference_nfc(const std::string& text) {
  utf8proc_uint8_t* normal = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &normal,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  std::string result(reinterpret_cast<const char*>(normal), static_cast<std::size_t>(length));
  std::free(normal);
  return result;
}

std::string nfc(const std::string& text) {
  std::string buffer;
  return std::string(to_nfc(text, buffer));
}

std::vector<utf8proc_int32_t> decomposition(utf8proc_int32_t c) {
  std::vector<utf8proc_int32_t> parts(8);
  int boundary_class = 0;
  parts.resize(static_cast<std::size_t>(utf8proc_decompose_char(
      c, parts.data(), 8, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE),
      &boundary_class)));
  return parts;
}

TEST(UnicodeTest, NamesTheClassesOfTheSplitPatterns) {
  for (const char32_t c : {U'a', U'\u00e9', U'\u4e2d', U'\u017f', U'\u02b0'}) {
    EXPECT_EQ(char_class(c), CharClass::Letter) << std::hex << static_cast<std::uint32_t>(c);
  }
  for (const char32_t c : {U'7', U'\u0663', U'\u00bd', U'\u2167'}) {
    EXPECT_EQ(char_class(c), CharClass::Number) << std::hex << static_cast<std::uint32_t>(c);
  }
  for (const char32_t c :
       {U' ', U'\t', U'\n', U'\u000b', U'\f', U'\r', U'\u0085', U'\u00a0', U'\u1680', U'\u2000',
        U'\u2028', U'\u2029', U'\u202f', U'\u205f', U'\u3000'}) {
    EXPECT_EQ(char_class(c), CharClass::Space) << std::hex << static_cast<std::uint32_t>(c);
  }
  for (const char32_t c : {U'_', U'\0', U'\u001c', U'\u180e', U'\u200b', U'\ufeff', U'\u0301'}) {
    EXPECT_EQ(char_class(c), CharClass::Other) << std::hex << static_cast<std::uint32_t>(c);
  }
}

TEST(UnicodeTest, BoundariesNeitherChangeNorContinueAComposition) {
  std::set<utf8proc_int32_t> continues = {};  // second or later part of some decomposition
  for (utf8proc_int32_t c = 0; c <= kLastCodePoint; ++c) {
    if (c == 0xAC00) c = 0xD7A4;  // Hangul syllables, which continue with jamo
    const std::vector<utf8proc_int32_t> parts = decomposition(c);
    continues.insert(parts.begin() + 1, parts.end());
  }
  for (utf8proc_int32_t c = 0x1161; c <= 0x11C2; ++c) continues.insert(c);
  for (utf8proc_int32_t c = 0; c <= kLastCodePoint; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    if (!is_nfc_boundary(static_cast<char32_t>(c))) continue;
    EXPECT_EQ(utf8proc_get_property(c)->combining_class, 0) << std::hex << c;
    EXPECT_EQ(continues.count(c), 0U) << std::hex << c;
    utf8proc_uint8_t bytes[4];
    const auto length = utf8proc_encode_char(c, bytes);
    const std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
    EXPECT_EQ(reference_nfc(text), text) << std::hex << c;
  }
}

TEST(UnicodeTest, ComposesAsTheLibraryDoes) {
  RandomText random(1);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = random.valid();
    ASSERT_EQ(nfc(text), reference_nfc(text)) << "seed 1, string " << i;
  }
}

TEST(UnicodeTest, GivesNormalTextBackWithoutACopy) {
  const std::string text = "caf\u00e9 \u4e2d\u6587 \U0001F600";
  std::string buffer;
  EXPECT_EQ(to_nfc(text, buffer).data(), text.data());
}

TEST(UnicodeTest, OrdersManyMarksWithoutBlowingUp) {
  std::string text = "e";
  std::string expected = "\u1eb9";                          // e with the first dot below
  for (int i = 0; i < 300000; ++i) text += "\u0301\u0323";  // classes 230 and 220: wrong order
  for (int i = 1; i < 300000; ++i) expected += "\u0323";
  for (int i = 0; i < 300000; ++i) expected += "\u0301";
  EXPECT_TRUE(nfc(text) == expected);
}

TEST(UnicodeTest, FindsWhereValidUtf8Ends) {
  EXPECT_EQ(valid_utf8_prefix("plain ascii, longer than a word"), 31U);
  EXPECT_EQ(valid_utf8_prefix("12345678\u00e9\xC3"), 10U);
  EXPECT_EQ(valid_utf8_prefix("\xED\xA0\x80"), 0U);
  EXPECT_EQ(valid_utf8_prefix(""), 0U);
}

}  // namespace
}  // namespace lacuna::engine
