// The reference data of tests/data/reference, recorded by running the published code.
#pragma once

#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lacuna::engine {

inline nlohmann::json load_reference(const std::string& path) {
  std::ifstream file(std::string(LACUNA_TEST_DATA) + "/reference/" + path);
  EXPECT_TRUE(file.is_open()) << path;
  return nlohmann::json::parse(file);
}

}  // namespace lacuna::engine
