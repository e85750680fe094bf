#include "engine/device.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <sched.h>

#include "kernels/cuda/cuda_kernels.h"
#include "support/file.h"

namespace lacuna::engine {
namespace {

constexpr std::uint64_t kMaxSystemFile = 4U << 20;

// A file of /proc or /sys; empty if there is none.
std::string system_file(const char* path) {
  Result<std::string> text = read_file(path, kMaxSystemFile);
  return text ? std::move(*text) : std::string();
}

// The value of a line "key : value" of such a file; empty if there is none.
std::string_view value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.substr(0, key.size()) != key) continue;
    line.remove_prefix(std::min(line.find(':'), line.size() - 1) + 1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return line;
  }
  return {};
}

std::uint64_t kibibytes(std::string_view value) {
  std::uint64_t number = 0;
  std::from_chars(value.begin(), value.end(), number);
  return number << 10;
}

// CPUs' worth of time that a container may use ("QUOTA PERIOD" or "max PERIOD"); 0: no limit.
int container_cpus() {
  const std::string limit = system_file("/sys/fs/cgroup/cpu.max");
  const std::size_t space = limit.find(' ');
  if (space == std::string::npos || limit.substr(0, space) == "max") return 0;
  const double quota = std::atof(limit.c_str());
  const double period = std::atof(limit.c_str() + space);
  return period <= 0 ? 0 : static_cast<int>(std::ceil(quota / period));
}

}  // namespace

Result<DeviceWish> parse_device(std::string_view text) {
  constexpr std::string_view kCuda = "cuda";
  if (text == "auto") return DeviceWish{};
  if (text == "cpu") return DeviceWish{.automatic = false, .kind = DeviceKind::Cpu};
  DeviceWish wish = {.automatic = false, .kind = DeviceKind::Cuda};
  if (text == kCuda) return wish;
  if (text.substr(0, kCuda.size() + 1) == "cuda:") {
    const std::string_view number = text.substr(kCuda.size() + 1);
    const auto [end, error] = std::from_chars(number.begin(), number.end(), wish.index);
    if (error == std::errc() && end == number.end() && wish.index >= 0) return wish;
  }
  return fail(ErrorCode::InvalidInput,
              "'" + std::string(text) + "' is no device; devices are auto, cpu, cuda and cuda:N");
}

CudaState probe_cuda() {
  const kernels::cuda::CudaProbe probe = kernels::cuda::probe();
  CudaState state;
  state.built = probe.built;
  state.problem = probe.problem;
  // Only the first device is asked for its name; the others are there by number.
  for (int i = 0; i < probe.device_count; ++i) {
    state.gpus.push_back(i == 0 ? probe.name : "GPU " + std::to_string(i));
  }
  return state;
}

std::string probe_cublaslt() { return kernels::cuda::cublaslt_version(); }

Result<Device> choose_device(const DeviceWish& wish, const CudaState& cuda) {
  if (!wish.automatic && wish.kind == DeviceKind::Cpu) return Device{};
  const std::string& problem = cuda.problem;
  if (wish.automatic) {
    if (!problem.empty()) return Device{.reason = problem};
    return Device{.kind = DeviceKind::Cuda, .reason = cuda.gpus.front()};
  }
  if (!problem.empty()) {
    return fail(ErrorCode::Unavailable,
                "cannot use the device cuda: " + problem + "; --device cpu works everywhere");
  }
  if (static_cast<std::size_t>(wish.index) >= cuda.gpus.size()) {
    return fail(ErrorCode::InvalidInput,
                "there is no device cuda:" + std::to_string(wish.index) +
                    "; the last one is cuda:" + std::to_string(cuda.gpus.size() - 1));
  }
  return Device{.kind = DeviceKind::Cuda, .index = wish.index, .reason = {}};
}

CpuState probe_cpu() {
  constexpr std::array<std::string_view, 8> kInteresting = {
      "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_bf16", "avx512_vnni", "amx_bf16"};
  CpuState state;
  const std::string cpu = system_file("/proc/cpuinfo");
  state.model = value_of(cpu, "model name");
  const std::string flags = " " + std::string(value_of(cpu, "flags")) + " ";
  for (const std::string_view feature : kInteresting) {
    if (flags.find(" " + std::string(feature) + " ") != std::string::npos) {
      state.features.emplace_back(feature);
    }
  }
  const std::string memory = system_file("/proc/meminfo");
  state.memory = kibibytes(value_of(memory, "MemTotal"));
  state.free_memory = kibibytes(value_of(memory, "MemAvailable"));
  state.isa = kernels::best_isa();
  state.threads = default_threads();
  return state;
}

int default_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affine = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const int quota = container_cpus();
  return std::max(1, quota == 0 ? affine : std::min(affine, quota));
}

}  // namespace lacuna::engine
