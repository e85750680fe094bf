// Split patterns of any tokenizer.json by PCRE2.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
#include <array>
#include <optional>
#include <pcre2.h>

#include "engine/tokenizer/splitter.h"
#include "engine/tokenizer/unicode.h"

namespace lacuna::engine {
namespace {

constexpr std::size_t kMaxPatternBytes = 64 << 10;
constexpr std::size_t kMaxPatterns = 64;
// Per match. A megabyte of blanks needs about two million backtracks in the worst published
// pattern; the heap holds them when the JIT's stack does not.
constexpr std::uint32_t kMatchLimit = 50'000'000;
constexpr std::uint32_t kHeapLimitKib = 256 << 10;
constexpr std::size_t kJitStackBytes = 8 << 20;  // reserved, touched only when needed

template <auto kFree>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};
using Code = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Deleter<pcre2_jit_stack_free>>;

constexpr std::size_t kNone = std::string_view::npos;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Error unsupported(std::string_view what) {
  return fail(ErrorCode::InvalidInput, "split pattern: " + std::string(what) +
                                           " is not supported, tokens could differ from the "
                                           "published ones");
}

// Rewrites a pattern written for Oniguruma for PCRE2, or refuses it.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  Result<std::string> run() {
    for (; at_ < pattern_.size(); ++at_) {
      if (const std::optional<Error> error = step()) return *error;
    }
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }

  // What follows "(". Options, recursion, conditions and verbs differ between the libraries.
  static bool known_group(std::string_view rest) {
    if (rest.starts_with('*')) return false;
    if (!rest.starts_with('?')) return true;
    constexpr std::array<std::string_view, 7> kKnown = {":", "i:", "=", "!", ">", "<=", "<!"};
    return std::any_of(kKnown.begin(), kKnown.end(),
                       [&](std::string_view known) { return rest.substr(1).starts_with(known); });
  }

  std::optional<Error> step() {
    const char c = pattern_[at_];
    if (c == '\\') return escape();
    if (in_class_) {
      if (c == ']' && at_ != class_begin_) in_class_ = false;
      // Both mean something else to Oniguruma: a class inside the class, an intersection.
      if (c == '[' || (c == '&' && peek(1) == '&')) return unsupported("a nested class");
    } else if (c == '[') {
      in_class_ = true;
      class_begin_ = at_ + (peek(1) == '^' ? 2 : 1);  // a "]" right here is a literal
    } else if (c == '^' || c == '$') {
      return unsupported("an anchor");  // of a line for Oniguruma, of the text for PCRE2
    } else if (c == '}' && peek(1) == '+') {
      return unsupported("a possessive interval");  // a repeated interval for Oniguruma
    } else if (c == '(' && !known_group(pattern_.substr(at_ + 1))) {
      return unsupported("a special group");
    }
    out_ += c;
    if (in_class_ && c == '[' && peek(1) == '^') {
      out_ += '^';
      ++at_;
    }
    return std::nullopt;
  }

  std::optional<Error> escape() {
    const char c = peek(1);
    if (c == 's' || (c == 'S' && !in_class_)) {
      // White_Space: PCRE2's own \s has U+180E in addition.
      const std::string_view open = in_class_ ? "" : (c == 's' ? "[" : "[^");
      out_.append(open).append(R"(\x{9}-\x{D}\x{85}\p{Z})").append(in_class_ ? "" : "]");
      ++at_;
      return std::nullopt;
    }
    if (c == '\0' || (is_alphanumeric(c) && std::string_view("rntdpPx").find(c) == kNone)) {
      return unsupported(std::string("\\") + c);
    }
    std::size_t last = at_ + 1;
    if ((c == 'p' || c == 'P' || c == 'x') && peek(2) == '{') last = pattern_.find('}', at_);
    if (last == kNone) return unsupported("an open brace");
    out_.append(pattern_.substr(at_, last + 1 - at_));
    at_ = last;
    return std::nullopt;
  }

  std::string_view pattern_;
  std::string out_;
  std::size_t at_ = 0;
  bool in_class_ = false;
  std::size_t class_begin_ = 0;
};

Result<Code> compile(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) return unsupported("a pattern of this length");
  const Result<std::string> translated = Translator(pattern).run();
  if (!translated) return translated.error();
  int error = 0;
  std::size_t offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset,
                          nullptr));
  if (!code) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    return fail(ErrorCode::InvalidInput,
                std::string("split pattern: ") + reinterpret_cast<const char*>(message.data()));
  }
  // Where there is no JIT the interpreter runs: slower, same result.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return code;
}

// What one thread needs to match, made for each call of split().
struct Matcher {
  JitStack stack{pcre2_jit_stack_create(32 << 10, kJitStackBytes, nullptr)};
  MatchContext context{pcre2_match_context_create(nullptr)};
  MatchData data{pcre2_match_data_create(1, nullptr)};

  Matcher() {
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  }

  // The first match at or after `at`: false when there is none.
  bool find(const pcre2_code* code, std::string_view text, std::size_t at) {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int result =
        pcre2_match(code, subject, text.size(), at, PCRE2_NO_UTF_CHECK, data.get(), context.get());
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
      result = pcre2_match(code, subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                           data.get(), context.get());
    }
    return result >= 0;
  }
  std::size_t begin() const { return pcre2_get_ovector_pointer(data.get())[0]; }
  std::size_t end() const { return pcre2_get_ovector_pointer(data.get())[1]; }
};

class RegexSplitter : public Splitter {
 public:
  explicit RegexSplitter(std::vector<Code> codes) : codes_(std::move(codes)) {}

  void split(std::string_view text, std::vector<std::size_t>& ends) const override {
    Matcher matcher;
    ends.assign(text.empty() ? 0 : 1, text.size());
    std::vector<std::size_t> coarse;
    for (const Code& code : codes_) {
      coarse.swap(ends);
      ends.clear();
      std::size_t begin = 0;
      for (const std::size_t end : coarse) {
        isolate(code.get(), text.substr(begin, end - begin), begin, matcher, ends);
        begin = end;
      }
    }
  }

 private:
  // Appends the ends of the matches in `piece` and of the gaps between them.
  static void isolate(const pcre2_code* code, std::string_view piece, std::size_t offset,
                      Matcher& matcher, std::vector<std::size_t>& ends) {
    std::size_t done = 0;
    std::size_t from = 0;
    while (from < piece.size() && matcher.find(code, piece, from)) {
      const std::size_t begin = matcher.begin();
      const std::size_t end = matcher.end();
      if (begin >= end) {  // an empty match cuts nothing (\K could even turn it around)
        if (end >= piece.size()) break;
        from = std::max(from, end);
        from += decode_char(piece, from).length;
        continue;
      }
      if (begin > done) ends.push_back(offset + begin);
      ends.push_back(offset + end);
      done = from = end;
    }
    if (done < piece.size()) ends.push_back(offset + piece.size());
  }

  std::vector<Code> codes_;
};

}  // namespace

Result<std::unique_ptr<Splitter>> make_regex_splitter(const std::vector<std::string>& patterns) {
  if (patterns.size() > kMaxPatterns) return unsupported("so many patterns");
  std::vector<Code> codes;
  for (const std::string& pattern : patterns) {
    Result<Code> code = compile(pattern);
    if (!code) return code.error();
    codes.push_back(std::move(*code));
  }
  return std::unique_ptr<Splitter>(std::make_unique<RegexSplitter>(std::move(codes)));
}

std::string quote_pattern(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && !is_alphanumeric(c)) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

}  // namespace lacuna::engine
