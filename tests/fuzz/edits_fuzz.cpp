// Edits of a document: whatever they are, its lines are those of its text.
#include <cstdlib>

#include "lsp/text_document.h"
#include "support/text.h"

namespace {

using namespace lacuna::lsp;  // NOLINT(google-build-using-namespace): this is a program's main file

void check(const TextDocument& document) {
  const lacuna::LineIndex lines(document.text());
  if (lines.line_count() != document.line_count()) std::abort();
  for (std::size_t line = 0; line < lines.line_count(); ++line) {
    if (lines.line_begin(line) != document.line_begin(line)) std::abort();
    if (lines.line_end(line) != document.line_end(line)) std::abort();
  }
}

}  // namespace

// A sequence of edits: encoding, four bytes of a range, the number of bytes, and those bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  TextDocument document;
  constexpr std::size_t kHeader = 6;
  while (size >= kHeader) {
    const auto encoding = static_cast<PositionEncoding>(data[0] % 3);
    const Range range = {{data[1], data[2]}, {data[3], data[4]}};
    const std::size_t length = std::min<std::size_t>(data[5], size - kHeader);
    const std::string_view text(reinterpret_cast<const char*>(data + kHeader), length);
    (void)document.replace(range, encoding, text);
    check(document);
    for (const Position position : {range.start, range.end}) {
      const std::size_t offset = document.offset_of(position, encoding);
      if (offset > document.text().size()) std::abort();
      const Position back = document.position_of(offset, encoding);
      if (document.offset_of(back, encoding) != offset) std::abort();
    }
    data += kHeader + length;
    size -= kHeader + length;
  }
  return 0;
}
