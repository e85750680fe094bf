#include "cli/eval/judge.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace lacuna::cli {
namespace {

struct Job {
  const EvalCase* it;
  Sample* sample;
};

class Queue {
 public:
  Queue(std::vector<Job> jobs, std::size_t workers, std::stop_token stop)
      : jobs_(std::move(jobs)), workers_(workers), stop_(std::move(stop)) {}

  void work(const PythonSandbox& sandbox) {
    while (const Job* job = next()) {
      const Result<RunOutcome> outcome =
          sandbox.run(solution_of(*job->it, job->sample->completion), job->it->tests);
      if (outcome) job->sample->outcome = *outcome;
      const std::lock_guard lock(mutex_);
      if (!outcome && result_) result_ = outcome.error();
      ++done_;
      changed_.notify_one();
    }
    const std::lock_guard lock(mutex_);
    --workers_;
    changed_.notify_one();
  }

  // Reports until all workers are through.
  Result<void> watch(const std::function<void(int)>& on_done) {
    std::unique_lock lock(mutex_);
    for (int seen = 0; workers_ > 0;) {
      changed_.wait(lock, [&] { return done_ != seen || workers_ == 0; });
      seen = done_;
      lock.unlock();
      on_done(seen);
      lock.lock();
    }
    if (stop_.stop_requested()) return fail(ErrorCode::Cancelled, "stopped");
    return result_;
  }

 private:
  const Job* next() {
    const std::lock_guard lock(mutex_);
    if (next_ == jobs_.size() || !result_ || stop_.stop_requested()) return nullptr;
    return &jobs_[next_++];
  }

  const std::vector<Job> jobs_;
  std::mutex mutex_;  // for what follows
  std::condition_variable changed_;
  std::size_t next_ = 0;
  int done_ = 0;
  std::size_t workers_;
  Result<void> result_;
  std::stop_token stop_;
};

}  // namespace

Result<void> judge(const PythonSandbox& sandbox, std::span<const EvalCase> cases,
                   std::span<CaseResult> results, int parallel,
                   const std::function<void(int)>& on_done, std::stop_token stop) {
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (Sample& sample : results[i].samples) {
      if (sample.error.empty()) jobs.push_back({&cases[i], &sample});
    }
  }
  const std::size_t threads = std::min(jobs.size(), static_cast<std::size_t>(parallel));
  Queue queue(std::move(jobs), threads, std::move(stop));
  std::vector<std::jthread> workers;
  workers.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    workers.emplace_back([&] { queue.work(sandbox); });
  }
  return queue.watch(on_done);
}

}  // namespace lacuna::cli
