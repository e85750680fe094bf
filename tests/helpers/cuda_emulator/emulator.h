// Runs CUDA kernels on the CPU, so that their indices, shapes and synchronisation are tested on a
// machine without a GPU. The sources of kernels/cuda are compiled as C++ with this folder before
// the toolkit's in the include path; only what they use is here.
//
// A block's threads are fibers of one OS thread, switched at __syncthreads() and in collectives of
// a warp only, in an order that changes from round to round: a missing barrier shows as a wrong
// result. Blocks run one after the other, so `__shared__` may be `static`. It says nothing about
// speed, nor about accesses that race without a barrier being missing.
//
// Device memory is a range of addresses that only kernels and copies can touch: the host crashes
// where it reads it, and a kernel is not started when an argument points to memory of the host.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}  // NOLINT
};

namespace cuda_emulator {

// Of the fiber that runs.
struct Here {
  uint3 thread;
  uint3 block;
  dim3 block_size;
  dim3 grid;
};

Here& here();

// While one exists, device memory can be touched.
class DeviceAccess {
 public:
  DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
  ~DeviceAccess();
};

void* allocate(std::size_t bytes);  // null when there is no more
void release(void* memory);
void copy(void* to, const void* from, std::size_t bytes, bool to_device, bool from_device);
void fill(void* to, int value, std::size_t bytes);

// Copies from and to pinned memory are made as late as a device may make them: when somebody waits for
// them, or when the next thing in the stream needs them. Whoever writes or reads there too early is found
// out.
void* allocate_pinned(std::size_t bytes);
void release_pinned(void* memory);
std::size_t queued_copies();  // since the program began
void finish_copies(std::size_t up_to = static_cast<std::size_t>(-1));

// Capture of a stream, as the calls of cuda_runtime_api.h need it. What CUDA forbids meanwhile ends
// the program with a message: waiting, allocating, copies from or to pageable memory, other streams.
// A graph that is launched after memory that it uses was given back does so too.
struct Graph;
using Executable = std::shared_ptr<const Graph>;

void use_stream(const void* stream);
void forbid_in_capture(const char* call);
void begin_capture(const void* stream);
Graph* end_capture(const void* stream);
void destroy(Graph* graph);
Executable instantiate(const Graph& graph);  // null while instantiation is made to fail
void launch_graph(const Executable& executable);

// For tests.
std::size_t allocations();  // of device memory and pinned memory, since the program began
std::size_t launches();     // of kernels, one by one
std::size_t graph_launches();
std::size_t graphs();  // executable ones that exist
void fail_instantiation(bool fails);

std::size_t free_bytes();
std::size_t used_bytes();
std::size_t total_bytes();
void limit_memory(std::size_t bytes);  // for tests; 0: as much as there is

// Aborts with a message when a word of the argument points to memory of the host.
void check_argument(const void* argument, std::size_t size);

// Calls kernel() once for each thread of the grid. `shared_bytes` of dynamic shared memory hold
// NaN at the begin of each block. Aborts with a message when threads wait for each other forever,
// as when some leave before a barrier that others reach. While a stream is captured it is kept for
// the graph instead.
void start(dim3 grid, dim3 block, std::size_t shared_bytes, std::function<void()> kernel);
void run(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& kernel);

void* dynamic_shared();
void block_barrier();
void warp_barrier();  // all lanes of the warp

// 64 bytes that every lane of the warp can read.
std::byte* lane_slot(int lane);
int lane();

template <class T>
T read_lane(T value, int source) {
  static_assert(sizeof(T) <= 64);
  std::memcpy(lane_slot(lane()), &value, sizeof value);
  warp_barrier();
  T result;
  std::memcpy(&result, lane_slot(source), sizeof result);
  warp_barrier();
  return result;
}

}  // namespace cuda_emulator
