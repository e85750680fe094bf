// WorkQueue: the one thread that may touch the model, the CUDA context or a stream.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace lacuna::daemon {

class WorkQueue {
 public:
  // A job runs to its end. It gets the token of the queue's own shutdown; a job that can be
  // cancelled alone captures a token of its own, and looks at both once every denoising step.
  using Job = std::function<void(const std::stop_token& shutdown)>;

  explicit WorkQueue(std::size_t max_queued);

  // Takes the job, or returns false when the queue is full. Never blocks; any thread may call it.
  bool submit(Job job);

 private:
  void loop(const std::stop_token& shutdown);

  const std::size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Job> jobs_;  // guarded by mutex_
  std::jthread thread_;   // last member: stops and joins before the others are destroyed
};

}  // namespace lacuna::daemon
