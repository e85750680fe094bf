// FillService: what every front end (an editor's session, an HTTP connection) asks for a fill.
//
// Threads: all calls and all callbacks happen on the event loop's thread; no callback comes from
// within a call of the service.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/checked_infill.h"
#include "engine/hole.h"
#include "engine/infill.h"
#include "support/result.h"

namespace lacuna::daemon {

// Who waits for a fill; the more urgent goes first.
enum class Priority : std::uint8_t {
  Interactive,  // a keystroke
  Requested,    // a command of the user
  Background,   // speculation: what may be wanted next
};

std::string_view name_of(Priority priority);  // "interactive", "requested", "background"

// A piece of text that helps, shown to the model before the canvas: another open file, a chunk
// that a client sent.
struct ContextPiece {
  std::string path;  // how the piece is called; may be empty
  std::string text;
};

struct FillOrder {
  std::string session;   // who asks: rounds are fair between sessions
  std::string document;  // at most one order of each (session, document) runs at a time
  Priority priority = Priority::Interactive;
  std::string text;                 // bytes of the whole document
  std::vector<engine::Hole> holes;  // in any order; InvalidInput when check_and_sort() refuses them
  std::string language;             // a Language::model_name; may be empty
  std::vector<ContextPiece> context;
  engine::InfillOptions options;
  // Fills are kept to what parses, where the language has a grammar; not with options.exact.
  bool syntax = true;
  // A suggestion: `holes` has one, an insertion at a cursor. It may have several lines where they
  // belong (cursor_place.h), whatever options.single_line says.
  bool at_cursor = false;
  // Nothing is filled: the one hole is the body of a function, and the answer says which parts of
  // it the model is least sure of, at most this share (0 to 1).
  std::optional<double> least_certain = {};
  int alternatives = 1;        // different fills wanted of the same holes
  double timeout_seconds = 0;  // from submit(); 0: none
};

// The grammar that an order's fills are checked by; null when none does. Checked fills may end up as
// another text than the steps have shown.
const grammar::Grammar* checking_grammar(const FillOrder& order);

// The holes of an order after a step of its first alternative, copied. Texts of tokens may be part
// of a UTF-8 sequence.
struct FillStep {
  struct HoleState {
    int hole;  // index into the order's holes, sorted by place
    std::vector<engine::HoleToken> tokens;
  };
  std::vector<HoleState> holes;  // those of the canvas that is being denoised
  int step = 0;                  // of the canvas, from 0
  int steps = 0;                 // planned for the canvas
  int masks_left = 0;
  int masks_total = 0;
  double seconds = 0;  // of this step
};

struct FillAnswer {
  // Different texts, at least one, at most FillOrder::alternatives; none for
  // FillOrder::least_certain. The fills of each are in the order of the holes' places. First the one
  // of the order's own sampling, which is what an order of one alternative gets, then those that
  // were drawn at a higher temperature, the surest first. Several of them have no hole withheld.
  std::vector<engine::InfillResult> alternatives;
  // For each alternative how its holes fit the text around them; a withheld one has its own text as
  // its fill. None where nothing was checked.
  std::vector<std::vector<HoleSyntax>> syntax;
  std::vector<engine::Hole> least_certain;  // of FillOrder::least_certain, by place
  bool several_lines = false;  // of FillOrder::at_cursor: whether the place may have them
  std::string place;           // and what it is, for a person; empty where no grammar told
  std::string model;           // name of the model that made them
  double queued_seconds = 0;   // from submit() until its turn
  double load_seconds = 0;     // of the model, when it had to be loaded for this
  double denoise_seconds = 0;  // all alternatives
  int context_pieces = 0;      // of FillOrder::context, how many the model saw

  // Unchecked where `syntax` says nothing.
  HoleSyntax syntax_of(std::size_t alternative, std::size_t hole) const;
};

enum class ModelPhase : std::uint8_t { Unloaded, Loading, Ready, Failed };

std::string_view name_of(ModelPhase phase);  // "unloaded", "loading", "ready", "failed"

// What is known of the model; zeros and empty texts until it was loaded for the first time.
struct ModelFacts {
  std::string name;
  std::string device;       // "cpu", "cuda:0"
  std::string numbers;      // how weights are kept: "f32", "int8", ...
  std::uint64_t bytes = 0;  // of the weight files
  std::int64_t parameters = 0;
  int vocabulary = 0;
  int width = 0;            // hidden size
  int max_canvas = 0;       // tokens that a fill sees at most
  double load_seconds = 0;  // the last time
};

// Counted since the daemon started.
struct FillCounters {
  std::uint64_t submitted = 0;
  std::uint64_t answered = 0;   // with fills
  std::uint64_t cancelled = 0;  // and superseded ones
  std::uint64_t refused = 0;    // the queue was full
  std::uint64_t failed = 0;     // for another reason
  std::uint64_t loads = 0;      // of the model
  std::uint64_t unloads = 0;    // after idle time
  std::uint64_t steps = 0;
  std::uint64_t forward_passes = 0;
  std::uint64_t tokens = 0;  // in holes that were filled
  double busy_seconds = 0;   // of the engine
};

struct EngineState {
  ModelPhase phase = ModelPhase::Unloaded;
  int loaded_percent = 0;  // while Loading
  std::string problem;     // when Failed: why, and what to do
  ModelFacts model;
  std::size_t queued = 0;   // orders that wait
  std::size_t running = 0;  // 0 or 1
  double idle_seconds = 0;  // since the last order ended; 0 while there is one
  FillCounters counters;
  std::map<std::string, std::uint64_t> failures;  // how often fills failed, by why
};

using FillId = std::uint64_t;

class FillService {
 public:
  using OnStep = std::function<void(const FillStep&)>;
  using OnDone = std::function<void(Result<FillAnswer>)>;
  using ListenerId = std::uint64_t;

  virtual ~FillService() = default;

  // Loads the model when it is not there. `on_step` may be empty. `on_done` is called exactly once:
  // with an answer, or Cancelled (cancel(), superseded), Unavailable (queue full, no model, out of
  // memory, timeout), InvalidInput. An order supersedes those Interactive and Background ones of
  // its session and document that are not more urgent than it is; Requested ones are only
  // cancelled by cancel(). No `on_step` comes after cancel() or after `on_done`.
  virtual FillId submit(FillOrder order, OnStep on_step, OnDone on_done) = 0;

  // The order's `on_done` still comes: Cancelled, when the engine has let go of it, at the latest
  // after the step that runs. Does nothing for an order that has ended.
  virtual void cancel(FillId id) = 0;

  // Starts loading the model if it is not there, without an order.
  virtual void prepare() = 0;

  // Gives the model's memory back, at once or when the order that runs has ended; the next order
  // loads it again. False when it waits for one.
  virtual bool release() { return true; }

  virtual EngineState state() const = 0;

  // `changed` is called whenever state().phase or loaded_percent has changed, until unlisten().
  virtual ListenerId listen(std::function<void()> changed) = 0;
  virtual void unlisten(ListenerId id) = 0;
};

}  // namespace lacuna::daemon
