#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "emulator.h"

namespace cuda_emulator {
namespace {

// What a device has. Only what is touched takes memory of the machine.
constexpr std::size_t kDeviceBytes = std::size_t{8} << 30;
constexpr std::size_t kAlignment = 256;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "cuda_emulator: %s\n", what);
  std::abort();
}

// One range of addresses that nobody can touch but a kernel and a copy.
class Arena {
 public:
  Arena() {
    void* memory =
        mmap(nullptr, kDeviceBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) die("no addresses for device memory");
    begin_ = static_cast<std::byte*>(memory);
    free_[0] = kDeviceBytes;
  }

  std::byte* allocate(std::size_t bytes) {
    const std::size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (used_ + size > limit_) return nullptr;
    for (auto at = free_.begin(); at != free_.end(); ++at) {
      const auto [offset, room] = *at;
      if (room < size) continue;
      free_.erase(at);
      if (room > size) free_[offset + size] = room - size;
      taken_[offset] = {.size = size, .serial = ++serials_};
      used_ += size;
      return begin_ + offset;
    }
    return nullptr;
  }

  void release(const void* pointer) {
    const auto at =
        taken_.find(static_cast<std::size_t>(static_cast<const std::byte*>(pointer) - begin_));
    if (!owns(pointer) || at == taken_.end()) die("cudaFree of what cudaMalloc did not give");
    const std::size_t offset = at->first;
    std::size_t size = at->second.size;
    taken_.erase(at);
    used_ -= size;
    const auto next = free_.find(offset + size);
    if (next != free_.end()) {
      size += next->second;
      free_.erase(next);
    }
    auto before = free_.lower_bound(offset);
    if (before != free_.begin() && (--before)->first + before->second == offset) {
      before->second += size;
    } else {
      free_[offset] = size;
    }
  }

  bool owns(const void* pointer) const {
    const auto* at = static_cast<const std::byte*>(pointer);
    return at >= begin_ && at < begin_ + kDeviceBytes;
  }
  // Of the allocation that it points into; 0: of none.
  std::size_t serial_of(const void* pointer) const {
    if (!owns(pointer)) return 0;
    const auto at = static_cast<std::size_t>(static_cast<const std::byte*>(pointer) - begin_);
    const auto after = taken_.upper_bound(at);
    if (after == taken_.begin()) return 0;
    const auto& [offset, block] = *std::prev(after);
    return at < offset + block.size ? block.serial : 0;
  }
  std::size_t used() const { return used_; }
  std::size_t limit() const { return limit_; }
  void set_limit(std::size_t bytes) { limit_ = bytes; }
  void protect(int protection) { mprotect(begin_, kDeviceBytes, protection); }

 private:
  std::byte* begin_ = nullptr;
  struct Block {
    std::size_t size;
    std::size_t serial;
  };

  std::map<std::size_t, std::size_t> free_;  // offset to size
  std::map<std::size_t, Block> taken_;       // by offset
  std::size_t serials_ = 0;
  std::size_t used_ = 0;
  std::size_t limit_ = kDeviceBytes;
};

Arena& arena() {
  static Arena memory;
  return memory;
}

// The copies from pinned memory that are still to be made, in order.
struct Queue {
  std::map<const std::byte*, std::size_t> pinned;  // where to how many bytes
  std::deque<Copy> copies;
  std::size_t done = 0;

  bool is_pinned(const void* pointer) const {
    const auto* at = static_cast<const std::byte*>(pointer);
    const auto after = pinned.upper_bound(at);
    return after != pinned.begin() && at < std::prev(after)->first + std::prev(after)->second;
  }
};

Queue& queue() {
  static Queue copies;
  return copies;
}

std::size_t allocated = 0;

bool is_mapped(std::uintptr_t address) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  unsigned char state = 0;
  return mincore(reinterpret_cast<void*>(address / page * page), 1, &state) == 0;
}

}  // namespace

DeviceAccess::DeviceAccess() { arena().protect(PROT_READ | PROT_WRITE); }
DeviceAccess::~DeviceAccess() { arena().protect(PROT_NONE); }

void check_argument(const void* argument, std::size_t size) {
  for (std::size_t at = 0; at + sizeof(void*) <= size; at += sizeof(void*)) {
    void* word = nullptr;
    std::memcpy(&word, static_cast<const std::byte*>(argument) + at, sizeof word);
    const auto address = reinterpret_cast<std::uintptr_t>(word);
    note_in_capture(word);
    if (address < 65536 || arena().owns(word) || !is_mapped(address)) continue;
    die("a kernel is given a pointer to host memory");
  }
}

std::size_t serial_of(const void* pointer) { return arena().serial_of(pointer); }
bool is_pinned(const void* pointer) { return queue().is_pinned(pointer); }
std::size_t allocations() { return allocated; }

void* allocate(std::size_t bytes) {
  forbid_in_capture("cudaMalloc");
  ++allocated;
  std::byte* memory = arena().allocate(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) return nullptr;
  const DeviceAccess access;
  std::memset(memory, 0xFF, bytes);  // NaN: nothing may be read before it is written
  return memory;
}

void release(void* memory) {
  forbid_in_capture("cudaFree");
  finish_copies();
  if (memory != nullptr) arena().release(memory);
}

void copy(void* to, const void* from, std::size_t bytes, bool to_device, bool from_device) {
  if (bytes == 0) return;
  if (arena().owns(to) != to_device || arena().owns(from) != from_device)
    die("a copy in the other direction than it says");
  if (keep_copy({.to = to, .from = from, .bytes = bytes}, to_device, from_device)) return;
  if ((to_device && queue().is_pinned(from)) || (from_device && queue().is_pinned(to))) {
    queue().copies.push_back({to, from, bytes});
    return;
  }
  finish_copies();
  const DeviceAccess access;
  std::memmove(to, from, bytes);
}

void fill(void* to, int value, std::size_t bytes) {
  if (bytes == 0) return;
  if (!arena().owns(to)) die("cudaMemset of host memory");
  forbid_in_capture("cudaMemset");
  finish_copies();
  const DeviceAccess access;
  std::memset(to, value, bytes);
}

void* allocate_pinned(std::size_t bytes) {
  forbid_in_capture("cudaMallocHost");
  ++allocated;
  auto* memory = new std::byte[bytes];
  queue().pinned[memory] = bytes;
  return memory;
}

void release_pinned(void* memory) {
  forbid_in_capture("cudaFreeHost");
  finish_copies();
  const auto at = queue().pinned.find(static_cast<const std::byte*>(memory));
  if (at == queue().pinned.end()) die("cudaFreeHost of what cudaMallocHost did not give");
  queue().pinned.erase(at);
  delete[] static_cast<std::byte*>(memory);
}

std::size_t queued_copies() { return queue().done + queue().copies.size(); }

void finish_copies(std::size_t up_to) {
  Queue& waiting = queue();
  while (!waiting.copies.empty() && waiting.done < up_to) {
    const Copy copy = waiting.copies.front();
    const DeviceAccess access;
    std::memmove(copy.to, copy.from, copy.bytes);
    waiting.copies.pop_front();
    ++waiting.done;
  }
}

std::size_t free_bytes() { return arena().limit() - std::min(arena().limit(), arena().used()); }
std::size_t used_bytes() { return arena().used(); }
std::size_t total_bytes() { return arena().limit(); }
void limit_memory(std::size_t bytes) { arena().set_limit(bytes == 0 ? kDeviceBytes : bytes); }

}  // namespace cuda_emulator
