// Scheduler: which order runs next. Pure: no threads, no clock of its own, no callbacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/fill_service.h"

namespace lacuna::daemon {

struct ScheduledOrder {
  FillId id = 0;
  std::string session;
  std::string document;
  Priority priority = Priority::Interactive;
  std::optional<double> deadline = {};  // in the seconds of the caller's clock
};

// One order runs at a time, on the one engine. Urgent ones go first; among equals the session goes
// first that has waited longest since its last turn, so that one session cannot starve another; in
// a session the oldest goes first.
class Scheduler {
 public:
  struct Limits {
    std::size_t queued = 64;
    std::size_t queued_of_session = 16;
  };

  // What became of others when an order came in.
  struct Admission {
    bool accepted = true;         // false: the queue is full
    std::vector<FillId> dropped;  // waiting orders that are out: superseded, or evicted
    bool stop_running = false;    // the running one is superseded, or gives way
  };

  explicit Scheduler(Limits limits) : limits_(limits) {}

  // A new order supersedes the Interactive and Background ones of its (session, document) that are
  // not more urgent than it is, and stops a running Background order that is less urgent. Where the
  // queue is full the newest Background order makes room for a more urgent one.
  Admission submit(ScheduledOrder order);

  // The next order to run, which then runs until finish(). Nothing while one runs.
  std::optional<FillId> start_next();
  void finish(FillId id);

  enum class Cancelled : std::uint8_t { Unknown, Waited, Runs };
  // A waiting order is taken out; the running one has to be stopped by the caller.
  Cancelled cancel(FillId id);

  // Waiting orders whose deadline is at or before `now` are taken out.
  std::vector<FillId> expire(double now);
  // The earliest deadline of a waiting order.
  std::optional<double> next_deadline() const;

  std::size_t queued() const { return waiting_.size(); }
  std::optional<FillId> running() const;

 private:
  bool make_room_for(const ScheduledOrder& order, Admission& admission);

  Limits limits_;
  std::vector<ScheduledOrder> waiting_;  // in the order of their coming
  std::optional<ScheduledOrder> running_;
  std::map<std::string, std::uint64_t> last_turn_;  // of sessions that wait or have waited
  std::uint64_t turns_ = 0;
};

}  // namespace lacuna::daemon
