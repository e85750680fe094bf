#include "engine/device.h"

#include <gtest/gtest.h>

namespace lacuna::engine {
namespace {

std::string chosen(std::string_view wish, const CudaState& cuda) {
  const auto parsed = parse_device(wish);
  if (!parsed) return "error: " + parsed.error().message;
  const auto device = choose_device(*parsed, cuda);
  if (!device) return "error: " + device.error().message;
  const std::string kind =
      device->kind == DeviceKind::Cpu ? "cpu" : "cuda:" + std::to_string(device->index);
  return device->reason.empty() ? kind : kind + " (" + device->reason + ")";
}

const CudaState kNone = {.problem = "no driver"};
const CudaState kReady = {.built = true, .gpus = {"A", "B"}};

TEST(DeviceTest, AutoFallsBackToTheCpuAndSaysWhy) {
  EXPECT_EQ(chosen("auto", kNone), "cpu (no driver)");
  EXPECT_EQ(chosen("auto", kReady), "cuda:0 (A)");
}

TEST(DeviceTest, TakesWhatIsNamedOrFails) {
  EXPECT_EQ(chosen("cpu", kReady), "cpu");
  EXPECT_EQ(chosen("cuda", kReady), "cuda:0");
  EXPECT_EQ(chosen("cuda:1", kReady), "cuda:1");
  EXPECT_EQ(chosen("cuda:2", kReady), "error: there is no device cuda:2; the last one is cuda:1");
  EXPECT_EQ(chosen("cuda", kNone),
            "error: cannot use the device cuda: no driver; --device cpu works everywhere");
}

TEST(DeviceTest, RefusesOtherNames) {
  for (const char* name : {"", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda1"}) {
    EXPECT_FALSE(parse_device(name).has_value()) << name;
  }
}

TEST(DeviceTest, KnowsThisMachine) {
  const CpuState cpu = probe_cpu();
  EXPECT_GE(cpu.threads, 1);
  EXPECT_GT(cpu.memory, 0U);
  EXPECT_LE(cpu.free_memory, cpu.memory);
}

}  // namespace
}  // namespace lacuna::engine
