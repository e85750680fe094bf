// ThreadPool: a fixed number of named threads that share the iterations of a loop.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace lacuna::kernels {

// The threads block when there is nothing to do and never spin, so that the pool does not slow
// down other processes, nor collapse when it has fewer cores than threads.
class ThreadPool {
 public:
  // `threads` includes the caller: 1 starts no thread.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(task, thread) once for every task in [0, n_tasks), on the pool's threads and the
  // calling one, and returns when all are done. `thread` is in [0, threads()), 0 is the caller.
  // Tasks are handed out in order, one at a time. Only one run() at a time; a body may not call
  // run() itself and may not throw. Allocates nothing.
  template <class Body>
  void run(int n_tasks, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_erased(n_tasks, {.object = const_cast<void*>(static_cast<const void*>(&body)),
                         .call = [](void* object, int task, int thread) {
                           (*static_cast<Plain*>(object))(task, thread);
                         }});
  }

 private:
  struct ErasedBody {
    void* object = nullptr;
    void (*call)(void* object, int task, int thread) = nullptr;
  };

  void run_erased(int n_tasks, ErasedBody body);
  void work(int thread);

  std::mutex mutex_;  // guards everything but next_task_ and workers_
  std::condition_variable wake_;
  std::condition_variable done_;
  ErasedBody body_;
  int n_tasks_ = 0;
  std::uint64_t generation_ = 0;  // counts the runs, so that a worker joins each at most once
  bool open_ = false;             // a worker may still join the current run
  int active_ = 0;                // workers inside the current run
  bool stop_ = false;
  std::atomic<int> next_task_ = 0;
  std::vector<std::thread> workers_;  // last: they use the members above
};

}  // namespace lacuna::kernels
