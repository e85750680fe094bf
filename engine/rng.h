// Random numbers by counter: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). A number depends only on the seed and on what it is for, never on the order
// in which numbers are asked for, so a fill is the same on any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace lacuna::engine {

// One block of Philox4x32-10, as in the paper's reference code.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

class Random {
 public:
  // What a number decides. Different purposes are independent streams.
  enum class Purpose : std::uint32_t {
    Token = 0,     // which token a row draws
    Position = 1,  // which positions a step commits
  };

  explicit Random(std::uint64_t seed) : seed_(seed) {}

  // Uniform in [0, 1), 53 bits. `attempt` tells draws of one position at one step apart.
  double uniform(Purpose purpose, int step, int position, int attempt = 0) const;
  // As many numbers for one decision. Not those of uniform().
  void fill(Purpose purpose, int step, int position, int attempt, std::span<double> out) const;

 private:
  std::uint64_t seed_;
};

}  // namespace lacuna::engine
