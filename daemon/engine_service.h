// EngineService: the FillService that runs a model on the thread of a work queue.
#pragma once

#include <cstddef>
#include <memory>

#include "daemon/fill_engine.h"
#include "daemon/fill_service.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): a name of Boost
}

namespace lacuna::daemon {

// Loads the model when the first order needs it, unloads it after a time without orders.
class EngineService : public FillService {
 public:
  struct Options {
    std::size_t max_queued = 64;
    double idle_unload_seconds = 600;  // 0: never
  };

  // `loop` must outlive the service; orders that are open when it is destroyed are never answered.
  EngineService(boost::asio::io_context& loop, std::unique_ptr<FillEngine> engine, Options options);
  EngineService(const EngineService&) = delete;
  EngineService& operator=(const EngineService&) = delete;
  ~EngineService() override;  // stops what runs, and waits for the step it is in

  FillId submit(FillOrder order, OnStep on_step, OnDone on_done) override;
  void cancel(FillId id) override;
  void prepare() override;
  bool release() override;
  EngineState state() const override;
  ListenerId listen(std::function<void()> changed) override;
  void unlisten(ListenerId id) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lacuna::daemon
