// Source files that a model is measured or calibrated on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace lacuna::cli {

struct SourceDocument {
  std::string name;      // "package/path", or the path below the folder
  std::string language;  // as language_named() knows it; may be empty for calibration only
  std::string text;      // valid UTF-8 with "\n" as line end
};

// What is calibrated on a file says little about other files: of the files of a set a quarter is for
// `lacuna model calibrate`, the rest for `lacuna eval holes`.
enum class Part : std::uint8_t { Calibration, Evaluation };

// The same everywhere and always: FNV-1a of the bytes, 64 bits, mixed as in splitmix64.
std::uint64_t name_hash(std::string_view name);

// By the name alone, so that it stays the same when other files come or go: the quarter are the names
// whose hash has 0 in its two lowest bits.
Part part_of(std::string_view name);

// True for what read_documents() takes: a folder, or a name that ends in .jsonl or .jsonl.gz.
bool is_document_set(const std::string& path);

// The files of a part of a set: a folder with source files, or a file of the corpus tool, where each
// line is ["language", "package", "path", "text"] (training/corpus.py).
//
// Of a folder, and of those below it, what counts is a regular file with a known extension, 200 kB of
// valid UTF-8 at most, and no longer line than a fill takes; hidden names and symbolic links do not.
//
// NotFound or InvalidInput for what cannot be read, a line that is not as above, more than 256 MiB
// of text, or a part with no file in it.
Result<std::vector<SourceDocument>> read_documents(const std::string& path, Part part);

}  // namespace lacuna::cli
