// A model of tests/data and its golden data, loaded for a parity test.
#pragma once

#include <cstdint>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/checkpoint.h"
#include "engine/transformer_predictor.h"
#include "kernels/cpu/context.h"

namespace lacuna::engine {

using Ids = std::vector<std::int32_t>;

inline nlohmann::json read_reference(const std::string& name) {
  std::ifstream file(LACUNA_TEST_DATA "/reference/" + name);
  EXPECT_TRUE(file.is_open()) << name;
  return nlohmann::json::parse(file);
}

inline Ids iota_ids(std::size_t n) {
  Ids ids(n);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

struct ReferenceModel {
  explicit ReferenceModel(const std::string& folder,
                          kernels::WeightFormat format = kernels::WeightFormat::F32,
                          kernels::Isa isa = kernels::best_isa(), int threads = 2)
      : context(isa, threads),
        checkpoint(open(folder)),
        transformer(Transformer::load(checkpoint.config(), checkpoint.tensors(), context, format)) {
  }

  static Checkpoint open(const std::string& folder) {
    auto opened = Checkpoint::open(LACUNA_TEST_DATA "/reference/" + folder);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }

  TransformerPredictor predictor(int capacity) {
    return {transformer, context, capacity, kernels::Precision::F32};
  }
  int vocab_size() const { return checkpoint.config().vocab_size; }
  std::int32_t mask_token() const { return *checkpoint.config().mask_token; }

  kernels::CpuContext context;
  Checkpoint checkpoint;
  Transformer transformer;
};

}  // namespace lacuna::engine
