// Dream's schedule. Everything is float32 and rounded where PyTorch rounds: with exact arithmetic
// a product that should be 1 and comes out just below or above it would be truncated otherwise.
#include "engine/sampler/commit_rule.h"

namespace lacuna::engine {
namespace {

// torch.linspace(1, eps, steps + 1)[i]. It counts from the nearer end.
float time_at(int i, const StepInfo& info) {
  const float step = (info.eps - 1.0F) / static_cast<float>(info.steps);
  const int n_times = info.steps + 1;
  if (i < n_times / 2) return 1.0F + step * static_cast<float>(i);
  return info.eps - step * static_cast<float>(info.steps - i);
}

}  // namespace

float transfer_probability(const StepInfo& info) {
  if (info.step >= info.steps - 1) return 1;
  return 1.0F - time_at(info.step + 1, info) / time_at(info.step, info);
}

int transfer_count(int masks, const StepInfo& info) {
  return static_cast<int>(static_cast<float>(masks) * transfer_probability(info));
}

int quota_at(int masks, const StepInfo& info) {
  if (info.step >= info.steps) return 0;
  return masks / info.steps + (info.step < masks % info.steps ? 1 : 0);
}

}  // namespace lacuna::engine
