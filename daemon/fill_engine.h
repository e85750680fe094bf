// FillEngine: a model as the work queue's thread sees it. EngineService calls it, tests replace it.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "daemon/fill_service.h"
#include "engine/model.h"

namespace lacuna::daemon {

// All calls come from the one thread of the work queue.
class FillEngine {
 public:
  virtual ~FillEngine() = default;

  virtual bool is_loaded() const = 0;
  // NotFound, Corrupt or Unavailable, with what to do about it.
  virtual Result<ModelFacts> load(const engine::LoadProgress& on_progress) = 0;
  // Gives the model's memory back to the system.
  virtual void unload() = 0;

  // Only while loaded. `holes` of the order are as check_and_sort() leaves them. `stop` is looked
  // at before every denoising step; then Cancelled.
  virtual Result<FillAnswer> fill(const FillOrder& order,
                                  const std::function<void(FillStep)>& on_step,
                                  const std::stop_token& stop) = 0;
};

// A model and what must live as long as it.
struct LoadedModel {
  std::unique_ptr<kernels::CpuContext> context;
  engine::Model model;
  ModelFacts facts;
};

using ModelLoader =
    std::function<Result<std::unique_ptr<LoadedModel>>(const engine::LoadProgress&)>;

// The real one.
std::unique_ptr<FillEngine> make_model_engine(ModelLoader loader);

}  // namespace lacuna::daemon
