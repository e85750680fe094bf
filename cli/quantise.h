// `lacuna model quantise`: a copy of a model with weights of 8 or 4 bits.
#pragma once

#include "cli/command.h"

namespace lacuna::cli {

// Adds the command to `lacuna model`.
Command add_quantise(CLI::App& model);

}  // namespace lacuna::cli
