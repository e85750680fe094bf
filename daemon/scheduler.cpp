#include "daemon/scheduler.h"

#include <algorithm>
#include <utility>

namespace lacuna::daemon {
namespace {

// Whether `fresh` makes `old` pointless.
bool supersedes(const ScheduledOrder& fresh, const ScheduledOrder& old) {
  if (fresh.session != old.session || fresh.document != old.document) return false;
  if (fresh.priority == Priority::Requested) return false;
  return old.priority != Priority::Requested && fresh.priority <= old.priority;
}

}  // namespace

bool Scheduler::make_room_for(const ScheduledOrder& order, Admission& admission) {
  const auto of_session =
      std::count_if(waiting_.begin(), waiting_.end(),
                    [&](const ScheduledOrder& waits) { return waits.session == order.session; });
  const bool session_full = static_cast<std::size_t>(of_session) >= limits_.queued_of_session;
  if (waiting_.size() < limits_.queued && !session_full) return true;
  if (order.priority == Priority::Background) return false;
  const auto victim =
      std::find_if(waiting_.rbegin(), waiting_.rend(), [&](const ScheduledOrder& waits) {
        return waits.priority == Priority::Background &&
               (!session_full || waits.session == order.session);
      });
  if (victim == waiting_.rend()) return false;
  admission.dropped.push_back(victim->id);
  waiting_.erase(std::next(victim).base());
  return true;
}

Scheduler::Admission Scheduler::submit(ScheduledOrder order) {
  Admission admission;
  std::erase_if(waiting_, [&](const ScheduledOrder& old) {
    if (!supersedes(order, old)) return false;
    admission.dropped.push_back(old.id);
    return true;
  });
  if (!make_room_for(order, admission)) {
    admission.accepted = false;
    return admission;
  }
  if (running_) {
    const bool gives_way =
        running_->priority == Priority::Background && order.priority != Priority::Background;
    admission.stop_running = gives_way || supersedes(order, *running_);
  }
  last_turn_.try_emplace(order.session, 0);
  waiting_.push_back(std::move(order));
  return admission;
}

std::optional<FillId> Scheduler::start_next() {
  if (running_ || waiting_.empty()) return std::nullopt;
  const auto rank = [this](const ScheduledOrder& order) {
    return std::pair(order.priority, last_turn_.at(order.session));
  };
  const auto next = std::min_element(
      waiting_.begin(), waiting_.end(),
      [&](const ScheduledOrder& a, const ScheduledOrder& b) { return rank(a) < rank(b); });
  running_ = std::move(*next);
  waiting_.erase(next);
  last_turn_[running_->session] = ++turns_;
  return running_->id;
}

void Scheduler::finish(FillId id) {
  if (!running_ || running_->id != id) return;
  running_.reset();
  // Sessions come and go: only those that wait are remembered, once there are many.
  if (last_turn_.size() <= 2 * limits_.queued + 64) return;
  std::erase_if(last_turn_, [this](const auto& turn) {
    return std::none_of(waiting_.begin(), waiting_.end(),
                        [&](const ScheduledOrder& waits) { return waits.session == turn.first; });
  });
}

Scheduler::Cancelled Scheduler::cancel(FillId id) {
  if (running_ && running_->id == id) return Cancelled::Runs;
  const auto erased =
      std::erase_if(waiting_, [id](const ScheduledOrder& order) { return order.id == id; });
  return erased > 0 ? Cancelled::Waited : Cancelled::Unknown;
}

std::vector<FillId> Scheduler::expire(double now) {
  std::vector<FillId> expired;
  std::erase_if(waiting_, [&](const ScheduledOrder& order) {
    if (!order.deadline || *order.deadline > now) return false;
    expired.push_back(order.id);
    return true;
  });
  return expired;
}

std::optional<double> Scheduler::next_deadline() const {
  std::optional<double> next;
  for (const ScheduledOrder& order : waiting_) {
    if (order.deadline && (!next || *order.deadline < *next)) next = order.deadline;
  }
  return next;
}

std::optional<FillId> Scheduler::running() const {
  return running_ ? std::optional(running_->id) : std::nullopt;
}

}  // namespace lacuna::daemon
