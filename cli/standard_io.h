// Standard input and output as a whole: results are written at once, when all is done.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna::cli {

// To be called first in main(): a closed pipe becomes an error of write_output() instead of a
// signal, and no file that is opened later can get the number of a standard stream.
void prepare_standard_streams();

// Unavailable when not everything could be written, for instance because the reader has gone.
Result<void> write_output(std::string_view bytes);

// All of standard input. InvalidInput when it is larger than max_bytes.
Result<std::string> read_input(std::uint64_t max_bytes);

// Lines of standard input, without their line ends, as they come.
class InputLines {
 public:
  // False at the end of input. InvalidInput for a line of more than max_bytes.
  Result<bool> next(std::string& line, std::uint64_t max_bytes);

 private:
  std::string buffer_;
  bool at_end_ = false;
};

}  // namespace lacuna::cli
