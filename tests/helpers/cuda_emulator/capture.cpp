#include "capture.h"

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "emulator.h"

namespace cuda_emulator {
namespace {

// Memory of the device that a node uses, and which allocation that was.
struct Use {
  const void* pointer;
  std::size_t serial;
};

struct Node {
  std::function<void()> work;
  std::vector<Use> uses;
  const void* pinned = nullptr;  // that a copy is made from or to
};

[[noreturn]] void die(const char* what, const char* detail = "") {
  std::fprintf(stderr, "cuda_emulator: %s%s\n", what, detail);
  std::abort();
}

std::size_t kernels_started = 0;
std::size_t graphs_launched = 0;
std::size_t graphs_alive = 0;
bool instantiation_fails = false;

}  // namespace

struct Graph {
  std::vector<Node> nodes;
};

namespace {

struct Capture {
  const void* stream = nullptr;  // null: none is captured
  Graph* graph = nullptr;
  std::vector<Use> uses;  // of the next node
};

Capture& capture() {
  static Capture state;
  return state;
}

void keep(std::function<void()> work, const void* pinned) {
  Capture& state = capture();
  state.graph->nodes.push_back(
      {.work = std::move(work), .uses = std::move(state.uses), .pinned = pinned});
  state.uses.clear();
}

}  // namespace

void forbid_in_capture(const char* call) {
  if (capture().stream != nullptr) die("forbidden while a stream is captured: ", call);
}

void use_stream(const void* stream) {
  if (capture().stream != nullptr && capture().stream != stream)
    die("another stream is used while one is captured");
}

void begin_capture(const void* stream) {
  if (stream == nullptr) die("the legacy stream cannot be captured");
  forbid_in_capture("cudaStreamBeginCapture");
  capture() = {.stream = stream, .graph = new Graph, .uses = {}};
}

Graph* end_capture(const void* stream) {
  if (capture().stream == nullptr) die("no stream is captured");
  use_stream(stream);
  return std::exchange(capture(), {}).graph;
}

void destroy(Graph* graph) { delete graph; }

Executable instantiate(const Graph& graph) {
  forbid_in_capture("cudaGraphInstantiate");
  if (instantiation_fails) return nullptr;
  ++graphs_alive;
  return {new Graph(graph), [](const Graph* gone) {
            --graphs_alive;
            delete gone;
          }};
}

void launch_graph(const Executable& executable) {
  ++graphs_launched;
  for (const Node& node : executable->nodes) {
    for (const Use& use : node.uses) {
      if (serial_of(use.pointer) != use.serial)
        die("a graph uses memory that was given back since it was captured");
    }
    if (node.pinned != nullptr && !is_pinned(node.pinned))
      die("a graph copies from or to host memory that was given back");
    node.work();
  }
}

void start(dim3 grid, dim3 block, std::size_t shared_bytes, std::function<void()> kernel) {
  if (capture().stream == nullptr) {
    ++kernels_started;
    return run(grid, block, shared_bytes, kernel);
  }
  keep([grid, block, shared_bytes,
        work = std::move(kernel)] { run(grid, block, shared_bytes, work); },
       nullptr);
}

bool keep_copy(const Copy& kept, bool to_device, bool from_device) {
  if (capture().stream == nullptr) return false;
  const void* host = to_device ? (from_device ? nullptr : kept.from) : kept.to;
  if (host != nullptr && !is_pinned(host))
    die("pageable memory is copied while a stream is captured");
  if (to_device) note_in_capture(kept.to);
  if (from_device) note_in_capture(kept.from);
  keep([kept, to_device,
        from_device] { copy(kept.to, kept.from, kept.bytes, to_device, from_device); },
       host);
  return true;
}

void note_in_capture(const void* word) {
  if (capture().stream == nullptr) return;
  const std::size_t serial = serial_of(word);
  if (serial != 0) capture().uses.push_back({.pointer = word, .serial = serial});
}

std::size_t launches() { return kernels_started; }
std::size_t graph_launches() { return graphs_launched; }
std::size_t graphs() { return graphs_alive; }
void fail_instantiation(bool fails) { instantiation_fails = fails; }

}  // namespace cuda_emulator
