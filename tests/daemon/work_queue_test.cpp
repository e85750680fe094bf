#include "daemon/work_queue.h"

#include <latch>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

namespace lacuna::daemon {
namespace {

namespace asio = boost::asio;

TEST(WorkQueueTest, PostsTheAnswerBackToTheEventLoop) {
  asio::io_context loop(1);
  auto keep_running = asio::make_work_guard(loop);
  std::thread::id ran_on;
  std::thread::id answered_on;
  WorkQueue queue(1);
  ASSERT_TRUE(queue.submit([&](const std::stop_token&) {
    ran_on = std::this_thread::get_id();
    asio::post(loop, [&] {
      answered_on = std::this_thread::get_id();
      keep_running.reset();
    });
  }));
  loop.run();
  EXPECT_NE(ran_on, std::this_thread::get_id());
  EXPECT_EQ(answered_on, std::this_thread::get_id());
}

TEST(WorkQueueTest, RefusesWorkWhenFull) {
  WorkQueue queue(0);
  EXPECT_FALSE(queue.submit([](const std::stop_token&) {}));
}

TEST(WorkQueueTest, DestructionStopsTheRunningJob) {
  bool stopped = false;
  {
    std::latch started(1);
    WorkQueue queue(1);
    ASSERT_TRUE(queue.submit([&](const std::stop_token& shutdown) {
      started.count_down();
      while (!shutdown.stop_requested()) std::this_thread::yield();
      stopped = true;
    }));
    started.wait();
  }
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace lacuna::daemon
