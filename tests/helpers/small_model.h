// The model that ships with Lacuna, for tests that need text in and text out.
#pragma once

#include <stdexcept>

#include "engine/model.h"
#include "kernels/cpu/context.h"

namespace lacuna::engine {

struct SmallModel {
  explicit SmallModel(int threads = 2)
      : context(kernels::best_isa(), threads), model(load(context)) {}

  static Model load(kernels::CpuContext& context) {
    Result<Model> loaded = Model::load(LACUNA_SOURCE_DIR "/models/lacuna-small", context, {});
    if (!loaded) throw std::runtime_error(loaded.error().message);
    return std::move(*loaded);
  }

  kernels::CpuContext context;
  Model model;
};

}  // namespace lacuna::engine
