// JSON values, for sources that read or write messages; headers that others include use json_fwd.
#pragma once

#include <nlohmann/json.hpp>

namespace lacuna::lsp {

using Json = nlohmann::json;

}  // namespace lacuna::lsp
