#include "daemon/scheduler.h"

#include <gtest/gtest.h>

namespace lacuna::daemon {
namespace {

using enum Priority;

// A scheduler whose orders are named by their ids.
class SchedulerTest : public testing::Test {
 protected:
  Scheduler::Admission submit(FillId id, std::string session, std::string document,
                              Priority priority = Interactive,
                              std::optional<double> deadline = {}) {
    return scheduler_.submit({.id = id,
                              .session = std::move(session),
                              .document = std::move(document),
                              .priority = priority,
                              .deadline = deadline});
  }
  // The ids in the order in which they run, each to its end.
  std::vector<FillId> run_all() {
    std::vector<FillId> order;
    while (const auto next = scheduler_.start_next()) {
      order.push_back(*next);
      scheduler_.finish(*next);
    }
    return order;
  }

  Scheduler scheduler_{{.queued = 6, .queued_of_session = 4}};
};

TEST_F(SchedulerTest, UrgentOrdersGoFirst) {
  submit(1, "a", "1", Background);
  submit(2, "b", "1", Requested);
  submit(3, "c", "1", Interactive);
  EXPECT_EQ(run_all(), (std::vector<FillId>{3, 2, 1}));
}

TEST_F(SchedulerTest, OneOrderRunsAtATime) {
  submit(1, "a", "1");
  submit(2, "b", "1");
  EXPECT_EQ(scheduler_.start_next(), 1U);
  EXPECT_EQ(scheduler_.start_next(), std::nullopt);
  scheduler_.finish(1);
  EXPECT_EQ(scheduler_.start_next(), 2U);
}

TEST_F(SchedulerTest, SessionsTakeTurns) {
  submit(1, "a", "1");
  submit(2, "a", "2");
  submit(3, "a", "3");
  submit(4, "b", "1");
  EXPECT_EQ(run_all(), (std::vector<FillId>{1, 4, 2, 3}));
}

TEST_F(SchedulerTest, ANewerOrderSupersedesTheWaitingOneOfItsDocument) {
  submit(1, "a", "1");
  EXPECT_EQ(submit(2, "a", "1").dropped, std::vector<FillId>{1});
  EXPECT_TRUE(submit(3, "a", "2").dropped.empty());
  EXPECT_TRUE(submit(4, "b", "1").dropped.empty());
}

TEST_F(SchedulerTest, ANewerOrderStopsTheRunningOneOfItsDocument) {
  submit(1, "a", "1");
  scheduler_.start_next();
  EXPECT_FALSE(submit(2, "a", "2").stop_running);
  EXPECT_TRUE(submit(3, "a", "1").stop_running);
}

TEST_F(SchedulerTest, SpeculationNeverSupersedesWhatSomebodyWaitsFor) {
  submit(1, "a", "1");
  EXPECT_TRUE(submit(2, "a", "1", Background).dropped.empty());
  EXPECT_EQ(submit(3, "a", "1", Background).dropped, std::vector<FillId>{2});
}

TEST_F(SchedulerTest, RequestedOrdersAreOnlyCancelledByTheirOwner) {
  submit(1, "a", "1", Requested);
  EXPECT_TRUE(submit(2, "a", "1", Requested).dropped.empty());
  EXPECT_TRUE(submit(3, "a", "1", Interactive).dropped.empty());
  EXPECT_EQ(scheduler_.cancel(1), Scheduler::Cancelled::Waited);
  EXPECT_EQ(scheduler_.cancel(1), Scheduler::Cancelled::Unknown);
}

TEST_F(SchedulerTest, SpeculationGivesWayWhileItRuns) {
  submit(1, "a", "1", Background);
  scheduler_.start_next();
  EXPECT_FALSE(submit(2, "b", "1", Background).stop_running);
  EXPECT_TRUE(submit(3, "b", "2", Requested).stop_running);
}

TEST_F(SchedulerTest, AFullQueueRefuses) {
  for (FillId id = 1; id <= 6; ++id) submit(id, "s" + std::to_string(id), "1");
  EXPECT_FALSE(submit(7, "s7", "1").accepted);
  EXPECT_EQ(scheduler_.queued(), 6U);
}

TEST_F(SchedulerTest, AFullQueueGivesUpSpeculationForSomebodyWhoWaits) {
  for (FillId id = 1; id <= 6; ++id) submit(id, "s" + std::to_string(id), "1", Background);
  EXPECT_FALSE(submit(7, "s7", "1", Background).accepted);
  const Scheduler::Admission admission = submit(8, "s8", "1");
  EXPECT_TRUE(admission.accepted);
  EXPECT_EQ(admission.dropped, std::vector<FillId>{6});
}

TEST_F(SchedulerTest, OneSessionCannotFillTheQueue) {
  for (FillId id = 1; id <= 4; ++id) submit(id, "a", std::to_string(id));
  EXPECT_FALSE(submit(5, "a", "5").accepted);
  EXPECT_TRUE(submit(6, "b", "1").accepted);
}

TEST_F(SchedulerTest, WaitingOrdersExpireAtTheirDeadline) {
  submit(1, "a", "1", Interactive, 10.0);
  submit(2, "b", "1", Interactive, 20.0);
  EXPECT_EQ(scheduler_.next_deadline(), 10.0);
  EXPECT_TRUE(scheduler_.expire(9.9).empty());
  EXPECT_EQ(scheduler_.expire(10.0), std::vector<FillId>{1});
  EXPECT_EQ(run_all(), std::vector<FillId>{2});
}

TEST_F(SchedulerTest, ARunningOrderIsCancelledByItsCaller) {
  submit(1, "a", "1");
  scheduler_.start_next();
  EXPECT_EQ(scheduler_.cancel(1), Scheduler::Cancelled::Runs);
  EXPECT_EQ(scheduler_.running(), 1U);
  scheduler_.finish(1);
  EXPECT_EQ(scheduler_.running(), std::nullopt);
}

}  // namespace
}  // namespace lacuna::daemon
