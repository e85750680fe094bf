// What the parts of the emulator tell each other of a stream that is captured.
#pragma once

#include <cstddef>

namespace cuda_emulator {

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
};

// False when no stream is captured: then the copy is to be made.
bool keep_copy(const Copy& copy, bool to_device, bool from_device);
// A word of an argument of a kernel.
void note_in_capture(const void* word);

// Of the allocation of device memory that it points into; 0: of none.
std::size_t serial_of(const void* pointer);
bool is_pinned(const void* pointer);

}  // namespace cuda_emulator
