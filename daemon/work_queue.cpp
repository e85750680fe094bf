#include "daemon/work_queue.h"

#include <utility>

namespace lacuna::daemon {

WorkQueue::WorkQueue(std::size_t max_queued)
    : max_queued_(max_queued),
      thread_([this](const std::stop_token& shutdown) { loop(shutdown); }) {}

bool WorkQueue::submit(Job job) {
  {
    std::lock_guard lock(mutex_);
    if (jobs_.size() >= max_queued_) return false;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void WorkQueue::loop(const std::stop_token& shutdown) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, shutdown, [this] { return !jobs_.empty(); })) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job(shutdown);
    job = nullptr;  // what it captured must not outlive it into the wait
    lock.lock();
  }
}

}  // namespace lacuna::daemon
