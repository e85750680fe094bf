// ThreadPool: a fixed number of named threads that share the iterations of a loop.
#pragma once

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
  // calling one, and returns when all are done. `thread` is in [0, threads()). Tasks are handed
  // out in order, one at a time. Only one run() at a time; a body may not call run() itself and
  // may not throw.
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
    void* object;
    void (*call)(void* object, int task, int thread);
  };

  void run_erased(int n_tasks, ErasedBody body);
};

}  // namespace lacuna::kernels
