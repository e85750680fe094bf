// Where a model runs: which devices this machine has, and which one a request gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/context.h"
#include "support/result.h"

namespace lacuna::engine {

enum class DeviceKind : std::uint8_t { Cpu, Cuda };

// What a user asked for: "auto", "cpu", "cuda" (the first one) or "cuda:N".
struct DeviceWish {
  bool automatic = true;
  DeviceKind kind = DeviceKind::Cpu;
  int index = 0;
};

Result<DeviceWish> parse_device(std::string_view text);

// What is known of CUDA here, without starting anything on a GPU.
struct CudaState {
  bool built = false;  // this program was compiled with the CUDA kernels
  std::vector<std::string> gpus = {};
  std::string problem = {};  // why there is no GPU; empty if there is one
};

CudaState probe_cuda();

// The version of the cuBLASLt that a GPU's products of many rows use, like "13.1.0"; empty where
// there is none. Loads the library, which takes a moment.
std::string probe_cublaslt();

struct Device {
  // "cpu", "cuda:0"
  std::string name() const {
    return kind == DeviceKind::Cpu ? "cpu" : "cuda:" + std::to_string(index);
  }

  DeviceKind kind = DeviceKind::Cpu;
  int index = 0;
  std::string reason = {};  // why "auto" took this one
};

// "auto" always finds a device. Unavailable, with the reason, when CUDA was asked for by name and
// cannot be used; InvalidInput for an index that no GPU has.
Result<Device> choose_device(const DeviceWish& wish, const CudaState& cuda);

// The processor, as far as it matters here.
struct CpuState {
  std::string model;                  // "AMD EPYC ..."; empty where the system does not tell
  kernels::Isa isa;                   // the best instruction set that both CPU and kernels have
  std::vector<std::string> features;  // those of avx2, fma, f16c, avx512f, ... that the CPU has
  int threads = 1;                    // default_threads()
  std::uint64_t memory = 0;           // bytes; 0 where the system does not tell
  std::uint64_t free_memory = 0;      // available without swapping
};

CpuState probe_cpu();

// The threads that may run at a time: affinity and the CPU quota of a container count.
int default_threads();

}  // namespace lacuna::engine
