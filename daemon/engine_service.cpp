#include "daemon/engine_service.h"

#include <chrono>
#include <exception>
#include <map>
#include <new>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/cursor_place.h"
#include "daemon/scheduler.h"
#include "daemon/work_queue.h"
#include "support/language.h"

namespace lacuna::daemon {
namespace {

namespace asio = boost::asio;

constexpr int kLoadStep = 5;  // per cent, at least, between what listeners are told while loading
// Reasons of failures that are told apart: some have a value in them, so they could be many.
constexpr std::size_t kMaxReasons = 32;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::chrono::steady_clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

// Looks at the place of a suggestion first.
Result<FillAnswer> fill_at_place(FillEngine& engine, const FillOrder& order,
                                 const std::function<void(FillStep)>& on_step,
                                 const std::stop_token& stop) {
  if (!order.at_cursor) return engine.fill(order, on_step, stop);
  CursorPlace place = place_at_cursor(grammar::grammar_of(language_named(order.language)),
                                      order.text, order.holes.front().begin);
  if (stop.stop_requested()) return fail(ErrorCode::Cancelled, "cancelled");
  FillOrder here = order;
  here.options.single_line = !place.several_lines;
  Result<FillAnswer> answer = engine.fill(here, on_step, stop);
  if (!answer) return answer;
  answer->several_lines = place.several_lines;
  answer->place = std::move(place.what);
  return answer;
}

// Whatever goes wrong in a fill, it fails alone.
Result<FillAnswer> fill_safely(FillEngine& engine, const FillOrder& order,
                               const std::function<void(FillStep)>& on_step,
                               const std::stop_token& stop) {
  try {
    return fill_at_place(engine, order, on_step, stop);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::Unavailable, "there is not enough memory for this fill");
  } catch (const std::exception& error) {
    return fail(ErrorCode::Internal, std::string("this is a bug: ") + error.what());
  }
}

int tokens_of(const FillAnswer& answer) {
  int tokens = 0;
  for (const engine::InfillResult& result : answer.alternatives) {
    for (const engine::HoleFill& fill : result.fills) tokens += fill.canvas_tokens;
  }
  return tokens;
}

}  // namespace

struct EngineService::Impl : std::enable_shared_from_this<EngineService::Impl> {
  struct Open {
    std::shared_ptr<const FillOrder> order;
    OnStep on_step;
    OnDone on_done;
    std::stop_source stop;
    double submitted;
    bool cancelled = false;  // its caller wants no more steps
    bool timed_out = false;
    bool refused = false;  // the queue was full
  };

  Impl(asio::io_context& io, std::unique_ptr<FillEngine> fill_engine, Options service_options)
      : loop(io),
        options(service_options),
        scheduler({.queued = service_options.max_queued,
                   .queued_of_session = std::max<std::size_t>(1, service_options.max_queued / 4)}),
        idle_timer(io),
        deadline_timer(io),
        idle_since(seconds_now()),
        engine(std::move(fill_engine)),
        queue(2) {}

  // Calls a member on the loop's thread, if the service still lives.
  template <class Call>
  void post(Call call) {
    asio::post(loop, [weak = weak_from_this(), call = std::move(call)]() mutable {
      if (const auto self = weak.lock()) call(*self);
    });
  }

  FillId submit(FillOrder order, OnStep on_step, OnDone on_done);
  void cancel(FillId id);
  void finish_later(FillId id, Error error);
  void finish(FillId id, Result<FillAnswer> answer);
  void count_failure(const std::string& why);
  void pump();
  void run_on_worker(FillId id, const FillOrder& order, const std::stop_token& stop);
  bool load_on_worker(double& seconds, Error& error);
  void ended(FillId id, Result<FillAnswer> answer, double busy_seconds);
  void on_step(FillId id, const FillStep& step);
  void set_phase(ModelPhase new_phase, std::string why);
  void set_loaded(int percent);
  void tell_listeners();
  void arm_deadline();
  void arm_idle();
  void unload();
  bool release();

  asio::io_context& loop;
  Options options;
  Scheduler scheduler;
  asio::steady_timer idle_timer;
  asio::steady_timer deadline_timer;
  std::map<FillId, Open> open;
  std::map<ListenerId, std::function<void()>> listeners;
  FillId last_id = 0;
  ListenerId last_listener = 0;
  ModelPhase phase = ModelPhase::Unloaded;
  int loaded_percent = 0;
  std::string problem;
  ModelFacts facts;
  FillCounters counters;
  std::map<std::string, std::uint64_t> failures;
  double idle_since;
  bool release_wanted = false;         // once the worker has ended what it does
  bool worker_busy = false;            // with a job: an order, a load, an unload
  std::unique_ptr<FillEngine> engine;  // only the work queue's thread touches it
  WorkQueue queue;                     // last: its thread ends first
};

FillId EngineService::Impl::submit(FillOrder order, OnStep on_step_call, OnDone on_done) {
  const FillId id = ++last_id;
  ++counters.submitted;
  const double now = seconds_now();
  const Result<void> holes = order.holes.empty()
                                 ? fail(ErrorCode::InvalidInput, "there is no hole to fill")
                                 : engine::check_and_sort(order.text, order.holes);
  ScheduledOrder scheduled{.id = id,
                           .session = order.session,
                           .document = order.document,
                           .priority = order.priority,
                           .deadline = {}};
  if (order.timeout_seconds > 0) scheduled.deadline = now + order.timeout_seconds;
  open.emplace(id, Open{.order = std::make_shared<const FillOrder>(std::move(order)),
                        .on_step = std::move(on_step_call),
                        .on_done = std::move(on_done),
                        .stop = {},
                        .submitted = now});
  if (!holes) {
    finish_later(id, holes.error());
    return id;
  }
  const Scheduler::Admission admission = scheduler.submit(std::move(scheduled));
  for (const FillId dropped : admission.dropped) {
    finish_later(dropped, fail(ErrorCode::Cancelled, "a newer request took its place"));
  }
  if (admission.stop_running) {
    Open& running = open.at(*scheduler.running());
    running.cancelled = true;
    running.stop.request_stop();
  }
  if (!admission.accepted) {
    open.at(id).refused = true;
    finish_later(id, fail(ErrorCode::Unavailable, "too many fills wait already; try again later"));
    return id;
  }
  arm_deadline();
  pump();
  return id;
}

void EngineService::Impl::cancel(FillId id) {
  const auto found = open.find(id);
  if (found == open.end()) return;
  found->second.cancelled = true;
  switch (scheduler.cancel(id)) {
    case Scheduler::Cancelled::Waited:
      finish_later(id, fail(ErrorCode::Cancelled, "cancelled"));
      break;
    case Scheduler::Cancelled::Runs:
      found->second.stop.request_stop();
      break;
    case Scheduler::Cancelled::Unknown:  // its end is on the way
      break;
  }
}

void EngineService::Impl::finish_later(FillId id, Error error) {
  post([id, error = std::move(error)](Impl& self) { self.finish(id, error); });
}

void EngineService::Impl::finish(FillId id, Result<FillAnswer> answer) {
  auto node = open.extract(id);
  if (node.empty()) return;
  if (answer) {
    ++counters.answered;
  } else if (answer.error().code == ErrorCode::Cancelled) {
    ++counters.cancelled;
  } else if (node.mapped().refused) {
    ++counters.refused;
  } else {
    count_failure(answer.error().message);
  }
  node.mapped().on_done(std::move(answer));
}

void EngineService::Impl::count_failure(const std::string& why) {
  ++counters.failed;
  const bool has_room = failures.size() < kMaxReasons || failures.contains(why);
  ++failures[has_room ? why : "other reasons"];
}

void EngineService::Impl::pump() {
  if (worker_busy) return;
  if (std::exchange(release_wanted, false) && phase == ModelPhase::Ready) return unload();
  const std::optional<FillId> next = scheduler.start_next();
  if (!next) {
    arm_idle();
    return;
  }
  idle_timer.cancel();
  worker_busy = true;
  const Open& order = open.at(*next);
  arm_deadline();
  // The queue has room: there is never more than one job.
  (void)queue.submit([this, id = *next, order = order.order,
                      stop = order.stop.get_token()](const std::stop_token& shutdown) {
    if (shutdown.stop_requested()) return;
    run_on_worker(id, *order, stop);
  });
}

bool EngineService::Impl::load_on_worker(double& seconds, Error& error) {
  if (engine->is_loaded()) return true;
  post([](Impl& self) { self.set_phase(ModelPhase::Loading, ""); });
  const double start = seconds_now();
  Result<ModelFacts> loaded = engine->load([this, told = 0](int done, int total) mutable {
    const int percent = 100 * done / total / kLoadStep * kLoadStep;
    if (percent == std::exchange(told, percent)) return;
    post([percent](Impl& self) { self.set_loaded(percent); });
  });
  seconds = seconds_now() - start;
  if (!loaded) {
    error = loaded.error();
    post([why = error.message](Impl& self) { self.set_phase(ModelPhase::Failed, why); });
    return false;
  }
  loaded->load_seconds = seconds;
  post([loaded = std::move(*loaded)](Impl& self) {
    self.facts = loaded;
    ++self.counters.loads;
    self.set_phase(ModelPhase::Ready, "");
  });
  return true;
}

void EngineService::Impl::run_on_worker(FillId id, const FillOrder& order,
                                        const std::stop_token& stop) {
  const double start = seconds_now();
  double load_seconds = 0;
  Error error{ErrorCode::Internal, {}};
  Result<FillAnswer> answer = error;
  if (!load_on_worker(load_seconds, error)) {
    answer = fail(ErrorCode::Unavailable, error.message);
  } else if (stop.stop_requested()) {
    answer = fail(ErrorCode::Cancelled, "cancelled");
  } else {
    answer = fill_safely(
        *engine, order,
        [this, id](FillStep step) {
          post([id, step = std::move(step)](Impl& self) { self.on_step(id, step); });
        },
        stop);
  }
  if (answer) answer->load_seconds = load_seconds;
  const double seconds = seconds_now() - start;
  post([id, seconds, answer = std::move(answer)](Impl& self) mutable {
    self.ended(id, std::move(answer), seconds);
  });
}

void EngineService::Impl::on_step(FillId id, const FillStep& step) {
  ++counters.steps;
  const auto found = open.find(id);
  if (found == open.end() || found->second.cancelled || !found->second.on_step) return;
  const OnStep call = found->second.on_step;  // it may cancel its own order
  call(step);
}

void EngineService::Impl::ended(FillId id, Result<FillAnswer> answer, double busy_seconds) {
  worker_busy = false;
  scheduler.finish(id);
  counters.busy_seconds += busy_seconds;
  idle_since = seconds_now();
  const auto found = open.find(id);
  if (found != open.end()) {
    if (answer) {
      answer->queued_seconds = idle_since - busy_seconds - found->second.submitted;
      counters.tokens += static_cast<std::uint64_t>(tokens_of(*answer));
      for (const engine::InfillResult& result : answer->alternatives) {
        counters.forward_passes += static_cast<std::uint64_t>(result.forward_passes);
      }
    }
    if (found->second.timed_out) {
      answer = fail(ErrorCode::Unavailable, "the fill took longer than its time limit");
    } else if (found->second.cancelled) {
      answer = fail(ErrorCode::Cancelled, "cancelled");
    }
  }
  pump();
  finish(id, std::move(answer));
}

void EngineService::Impl::set_phase(ModelPhase new_phase, std::string why) {
  phase = new_phase;
  loaded_percent = 0;
  problem = std::move(why);
  tell_listeners();
}

void EngineService::Impl::set_loaded(int percent) {
  if (phase != ModelPhase::Loading) return;
  loaded_percent = percent;
  tell_listeners();
}

void EngineService::Impl::tell_listeners() {
  const auto copy = listeners;  // a listener may unlisten
  for (const auto& [id, changed] : copy) {
    if (listeners.contains(id)) changed();
  }
}

void EngineService::Impl::arm_deadline() {
  std::optional<double> next = scheduler.next_deadline();
  if (const auto running = scheduler.running()) {
    const Open& order = open.at(*running);
    if (order.order->timeout_seconds > 0 && !order.timed_out) {
      const double deadline = order.submitted + order.order->timeout_seconds;
      if (!next || deadline < *next) next = deadline;
    }
  }
  if (!next) {
    deadline_timer.cancel();
    return;
  }
  deadline_timer.expires_after(duration_of(std::max(0.0, *next - seconds_now())));
  deadline_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    const double now = seconds_now();
    for (const FillId id : self->scheduler.expire(now)) {
      self->finish_later(
          id, fail(ErrorCode::Unavailable, "the fill waited longer than its time limit"));
    }
    if (const auto running = self->scheduler.running()) {
      Open& order = self->open.at(*running);
      const double limit = order.order->timeout_seconds;
      if (limit > 0 && order.submitted + limit <= now) {
        order.timed_out = true;
        order.cancelled = true;
        order.stop.request_stop();
      }
    }
    self->arm_deadline();
  });
}

void EngineService::Impl::arm_idle() {
  if (options.idle_unload_seconds <= 0 || phase != ModelPhase::Ready) return;
  const double left = options.idle_unload_seconds - (seconds_now() - idle_since);
  idle_timer.expires_after(duration_of(std::max(0.0, left)));
  idle_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->unload();
  });
}

void EngineService::Impl::unload() {
  if (worker_busy || phase != ModelPhase::Ready) return;
  worker_busy = true;
  (void)queue.submit([this](const std::stop_token&) {
    engine->unload();
    post([](Impl& self) {
      self.worker_busy = false;
      ++self.counters.unloads;
      self.set_phase(ModelPhase::Unloaded, "");
      self.pump();
    });
  });
}

bool EngineService::Impl::release() {
  if (worker_busy) {
    release_wanted = true;
    return false;
  }
  unload();
  return true;
}

EngineService::EngineService(asio::io_context& loop, std::unique_ptr<FillEngine> engine,
                             Options options)
    : impl_(std::make_shared<Impl>(loop, std::move(engine), options)) {}

EngineService::~EngineService() {
  for (auto& [id, order] : impl_->open) order.stop.request_stop();
}

FillId EngineService::submit(FillOrder order, OnStep on_step, OnDone on_done) {
  return impl_->submit(std::move(order), std::move(on_step), std::move(on_done));
}

void EngineService::cancel(FillId id) { impl_->cancel(id); }

void EngineService::prepare() {
  if (impl_->phase == ModelPhase::Ready || impl_->worker_busy) return;
  impl_->worker_busy = true;
  (void)impl_->queue.submit([impl = impl_.get()](const std::stop_token& shutdown) {
    if (shutdown.stop_requested()) return;
    double seconds = 0;
    Error error{ErrorCode::Internal, {}};
    (void)impl->load_on_worker(seconds, error);
    impl->post([](Impl& self) {
      self.worker_busy = false;
      self.idle_since = seconds_now();
      self.pump();
    });
  });
}

bool EngineService::release() { return impl_->release(); }

EngineState EngineService::state() const {
  EngineState state;
  state.phase = impl_->phase;
  state.loaded_percent = impl_->loaded_percent;
  state.problem = impl_->problem;
  state.model = impl_->facts;
  state.queued = impl_->scheduler.queued();
  state.running = impl_->scheduler.running() ? 1 : 0;
  if (!impl_->worker_busy) state.idle_seconds = seconds_now() - impl_->idle_since;
  state.counters = impl_->counters;
  state.failures = impl_->failures;
  return state;
}

FillService::ListenerId EngineService::listen(std::function<void()> changed) {
  impl_->listeners.emplace(++impl_->last_listener, std::move(changed));
  return impl_->last_listener;
}

void EngineService::unlisten(ListenerId id) { impl_->listeners.erase(id); }

}  // namespace lacuna::daemon
