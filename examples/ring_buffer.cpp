// SPDX-License-Identifier: Apache-2.0
// A queue of fixed size in an array: when it is full, the oldest element makes room for a new one.
#include <cassert>
#include <cstddef>
#include <iostream>
#include <vector>

template <class T>
class RingBuffer {
 public:
  explicit RingBuffer(std::size_t capacity) : slots_(capacity) { assert(capacity > 0); }

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return ⟦?8⟧; }
  bool empty() const { return ⟦?6⟧; }
  bool full() const { return size_ == slots_.size(); }

  void push(const T& value) {
    slots_[(head_ + size_) % slots_.size()] = value;
    if (full()) {
      head_ = ⟦?16: the slot after the head, at the end the first one again⟧;
    } else {
      ++size_;
    }
  }

  T pop() {
    assert(!empty());
    T value = slots_[head_];
    head_ = (head_ + 1) % slots_.size();
    ⟦?4⟧;
    return value;
  }

 private:
  std::vector<T> slots_;
  std::size_t head_ = 0;  // the oldest element
  std::size_t size_ = 0;
};

int main() {
  RingBuffer<int> last_three(3);
  for (int i = 1; i <= 5; ++i) last_three.push(i);
  while (⟦?8⟧) std::cout << last_three.pop() << '\n';
}
