// Numbers in JSON answers.
#pragma once

#include <string>

namespace lacuna::cli {

// The double that prints like the float does: 0.9, not 0.8999999761581421.
double as_json(float number);

// The shortest text that reads back as the same float; "null" where JSON has no number for it.
std::string json_text(float number);

}  // namespace lacuna::cli
