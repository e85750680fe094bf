#include "kernels/cpu/thread_pool.h"

#include <atomic>
#include <latch>
#include <vector>

#include <gtest/gtest.h>

#if defined(__linux__)
#include <pthread.h>
#endif

namespace lacuna::kernels {
namespace {

TEST(ThreadPoolTest, RunsEveryTaskOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int n_tasks : {0, 1, 2, 3, 7, 8, 9, 1000}) {
      std::vector<int> runs(static_cast<std::size_t>(n_tasks));  // one element for each task
      pool.run(n_tasks, [&](int task, int thread) {
        ++runs[static_cast<std::size_t>(task)];
        EXPECT_GE(thread, 0);
        EXPECT_LT(thread, threads);
      });
      EXPECT_EQ(runs, std::vector<int>(runs.size(), 1)) << n_tasks << " tasks, " << threads;
    }
  }
}

TEST(ThreadPoolTest, SeesWhatEarlierRunsWrote) {
  ThreadPool pool(3);
  std::vector<int> values(16);
  for (int round = 0; round < 2000; ++round)
    pool.run(16, [&](int task, int /*thread*/) { ++values[static_cast<std::size_t>(15 - task)]; });
  EXPECT_EQ(values, std::vector<int>(16, 2000));
}

TEST(ThreadPoolTest, RunsASingleTaskOnTheCallersThread) {
  ThreadPool pool(2);
  const auto caller = std::this_thread::get_id();
  pool.run(1, [&](int /*task*/, int thread) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(thread, 0);
  });
}

TEST(ThreadPoolTest, RunsTasksAtTheSameTimeOnNamedThreads) {
  ThreadPool pool(2);
  std::latch both(2);
  std::atomic<int> named = 0;
  pool.run(2, [&](int /*task*/, int thread) {
    both.arrive_and_wait();  // a pool that ran them one after the other would wait for ever
#if defined(__linux__)
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (thread == 1 && std::string_view(name) == "lacuna-cpu-1") ++named;
#else
    if (thread == 1) ++named;
#endif
  });
  EXPECT_EQ(named, 1);
}

}  // namespace
}  // namespace lacuna::kernels
