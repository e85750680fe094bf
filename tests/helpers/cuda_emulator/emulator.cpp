#include "emulator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

namespace cuda_emulator {
namespace {

constexpr std::size_t kStackBytes = 256U << 10;
constexpr int kWarp = 32;

// Threads that meet: each waits until all that are left have come.
struct Barrier {
  int members = 0;
  std::vector<int> waiting = {};
};

// A thread of the block. It is entered through its ucontext; after that switches are jumps, which
// unlike swapcontext() call nothing of the system.
struct Fiber {
  ucontext_t entry{};
  jmp_buf state{};
  void* stack = nullptr;
  bool entered = false;
  bool done = false;
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<Barrier> warps;
  Barrier all;
  std::vector<int> ready;        // fibers that can go on
  std::vector<std::byte> slots;  // 64 bytes for each thread
  std::vector<std::byte> shared;
  jmp_buf scheduler{};
  int current = 0;
  const std::function<void()>* kernel = nullptr;
  Here here{};
};

Block* block = nullptr;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "cuda_emulator: %s, block (%u, %u, %u)\n", what, block->here.block.x,
               block->here.block.y, block->here.block.z);
  std::abort();
}

Barrier& warp_of(int fiber) { return block->warps[static_cast<std::size_t>(fiber / kWarp)]; }
Fiber& fiber_at(int index) { return block->fibers[static_cast<std::size_t>(index)]; }

void release_if_complete(Barrier& barrier) {
  if (static_cast<int>(barrier.waiting.size()) < barrier.members) return;
  block->ready.insert(block->ready.end(), barrier.waiting.begin(), barrier.waiting.end());
  barrier.waiting.clear();
}

void leave(Barrier& barrier) {
  --barrier.members;
  release_if_complete(barrier);
}

void fiber_main() {
  (*block->kernel)();
  fiber_at(block->current).done = true;
  leave(block->all);
  leave(warp_of(block->current));
  _longjmp(block->scheduler, 1);
}

void wait_at(Barrier& barrier) {
  barrier.waiting.push_back(block->current);
  release_if_complete(barrier);
  if (_setjmp(fiber_at(block->current).state) == 0) _longjmp(block->scheduler, 1);
}

// Runs a fiber until it waits or is done.
void resume(int index) {
  const auto i = static_cast<unsigned>(index);
  const dim3& size = block->here.block_size;
  block->current = index;
  block->here.thread = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
  Fiber& fiber = fiber_at(index);
  if (_setjmp(block->scheduler) != 0) return;
  if (fiber.entered) _longjmp(fiber.state, 1);
  fiber.entered = true;
  setcontext(&fiber.entry);
}

void run_block(std::mt19937& random) {
  const int threads = static_cast<int>(block->fibers.size());
  block->all = {.members = threads};
  for (std::size_t w = 0; w < block->warps.size(); ++w)
    block->warps[w] = {.members = std::min(kWarp, threads - static_cast<int>(w) * kWarp)};
  std::fill(block->shared.begin(), block->shared.end(), std::byte{0xFF});  // NaN
  block->ready.clear();
  for (int i = 0; i < threads; ++i) {
    Fiber& fiber = fiber_at(i);
    fiber.done = fiber.entered = false;
    getcontext(&fiber.entry);
    fiber.entry.uc_stack.ss_sp = fiber.stack;
    fiber.entry.uc_stack.ss_size = kStackBytes;
    fiber.entry.uc_link = nullptr;
    makecontext(&fiber.entry, fiber_main, 0);
    block->ready.push_back(i);
  }
  std::vector<int> batch;
  for (int left = threads; left > 0;) {
    if (block->ready.empty()) die("threads wait for each other forever");
    batch.swap(block->ready);
    block->ready.clear();
    std::shuffle(batch.begin(), batch.end(), random);
    for (const int index : batch) {
      resume(index);
      if (fiber_at(index).done) --left;
    }
  }
}

// Stacks are kept for the next run: mapping them takes longer than a small kernel.
std::vector<void*>& stacks() {
  static std::vector<void*> kept;
  return kept;
}

}  // namespace

Here& here() { return block->here; }
void* dynamic_shared() { return block->shared.data(); }
void block_barrier() { wait_at(block->all); }
void warp_barrier() { wait_at(warp_of(block->current)); }
int lane() { return block->current % kWarp; }
std::byte* lane_slot(int lane_idx) {
  const int first = block->current / kWarp * kWarp;
  return block->slots.data() + static_cast<std::size_t>(first + lane_idx) * 64;
}

void run(dim3 grid, dim3 size, std::size_t shared_bytes, const std::function<void()>& kernel) {
  const std::size_t threads = static_cast<std::size_t>(size.x) * size.y * size.z;
  Block state;
  block = &state;
  state.here.block_size = size;
  state.here.grid = grid;
  state.kernel = &kernel;
  if (threads == 0 || threads > 1024) die("a block has 1 to 1024 threads");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535)
    die("the grid is empty or too large");
  state.fibers.resize(threads);
  state.warps.resize((threads + kWarp - 1) / kWarp);
  state.slots.resize(state.warps.size() * kWarp * 64);
  state.shared.resize(shared_bytes + 16);
  while (stacks().size() < threads) {
    void* stack =
        mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) die("no memory for a stack");
    stacks().push_back(stack);
  }
  for (std::size_t i = 0; i < threads; ++i) state.fibers[i].stack = stacks()[i];
  std::mt19937 random(1);
  finish_copies();
  const DeviceAccess access;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        state.here.block = {x, y, z};
        run_block(random);
      }
  block = nullptr;
}

}  // namespace cuda_emulator
