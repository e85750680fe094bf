#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <cstdio>

#if defined(__linux__)
#include <pthread.h>
#endif

namespace lacuna::kernels {
namespace {

void name_this_thread(int thread) {
#if defined(__linux__)
  char name[16];  // the kernel's limit, with the final zero
  std::snprintf(name, sizeof name, "lacuna-cpu-%d", thread % 1000);
  pthread_setname_np(pthread_self(), name);
#else
  static_cast<void>(thread);
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(static_cast<std::size_t>(std::max(threads - 1, 0)));
  for (int thread = 1; thread < threads; ++thread)
    workers_.emplace_back([this, thread] { work(thread); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_erased(int n_tasks, ErasedBody body) {
  if (n_tasks <= 1 || workers_.empty()) {
    for (int task = 0; task < n_tasks; ++task) body.call(body.object, task, 0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    body_ = body;
    n_tasks_ = n_tasks;
    next_task_.store(0, std::memory_order_relaxed);  // no worker is active: see the wait below
    open_ = true;
    ++generation_;
  }
  // The caller does the first task, so n tasks need n - 1 helpers.
  if (n_tasks > static_cast<int>(workers_.size())) {
    wake_.notify_all();
  } else {
    for (int i = 1; i < n_tasks; ++i) wake_.notify_one();
  }
  int task = 0;
  while ((task = next_task_.fetch_add(1, std::memory_order_relaxed)) < n_tasks)
    body.call(body.object, task, 0);
  // A worker that has not woken up yet finds the run closed: the caller does not wait for it.
  std::unique_lock lock(mutex_);
  open_ = false;
  done_.wait(lock, [this] { return active_ == 0; });
}

void ThreadPool::work(int thread) {
  name_this_thread(thread);
  std::uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || (open_ && generation_ != seen); });
    if (stop_) return;
    seen = generation_;
    ++active_;
    const ErasedBody body = body_;
    const int n_tasks = n_tasks_;
    lock.unlock();
    int task = 0;
    while ((task = next_task_.fetch_add(1, std::memory_order_relaxed)) < n_tasks)
      body.call(body.object, task, thread);
    lock.lock();
    if (--active_ == 0) done_.notify_one();
  }
}

}  // namespace lacuna::kernels
