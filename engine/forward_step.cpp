#include "engine/forward_step.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "engine/forward_buffers.h"

namespace lacuna::engine {

using kernels::kStepDraws;
using kernels::kStepParts;
using kernels::kStepRows;
using kernels::RowResult;
using kernels::StepInput;

StepMemory::StepMemory(kernels::StepDevice& step_device, kernels::Backend& backend, int vocab_size)
    : device(&step_device),
      sent(device->pinned(sizeof(StepInput))),
      input(backend.allocate(sizeof(StepInput))),
      results(backend.allocate(kStepDraws * sizeof(RowResult))),
      fetched(device->pinned(results.bytes())),
      allowed(backend.allocate(static_cast<std::size_t>(vocab_size))) {}

StepMemory::~StepMemory() {
  try {
    finish();
  } catch (const kernels::DeviceError&) {
    is_running = false;  // nothing is copied any more
  }
}

bool StepMemory::fits(std::span<const ForwardInput> inputs) {
  std::size_t rows = 0;
  int parts = 0;
  for (const ForwardInput& input : inputs) {
    if (input.variant || input.watch != nullptr) return false;
    rows += input.rows.size();
    parts += input.rows.empty() ? 0 : 1;
  }
  return rows > 0 && rows <= std::size_t{kStepRows} && parts <= kStepParts;
}

bool StepMemory::fits(std::span<const kernels::DrawLogits> draws) {
  std::size_t candidates = 0;
  std::size_t banned = 0;
  std::span<const std::uint8_t> allowed;
  for (const kernels::DrawLogits& draw : draws) {
    candidates += draw.results.size();
    banned += draw.banned.size();
    if (draw.allowed.empty() || draw.allowed.data() == allowed.data()) continue;
    if (!allowed.empty() && !std::ranges::equal(allowed, draw.allowed)) return false;
    allowed = draw.allowed;
  }
  return candidates > 0 && candidates <= std::size_t{kStepDraws} &&
         banned <= std::size_t{kernels::kStepBans};
}

StepMemory::Taken& StepMemory::taken(const StepShape& shape) {
  std::size_t at = 0;
  for (int rows = kernels::kLeastStepRows; rows < shape.rows; rows *= 2) at += 4;
  return all_taken[at + (shape.batch ? 2 : 0) + (shape.draws ? 1 : 0)];
}

void StepMemory::finish() {
  if (is_running) device->wait();
  is_running = false;
}

void StepMemory::allow(kernels::Backend& backend, std::span<const std::uint8_t> tokens) {
  if (std::ranges::equal(tokens, allowed_now)) return;
  allowed_now.assign(tokens.begin(), tokens.end());
  backend.upload(allowed.as<void>(), allowed_now.data(), allowed_now.size());
}

// Everything of the StepInput: also what says of a row that nobody wants it.
void ForwardPass::Buffers::write_step(int n_rows, int n_kept,
                                      std::span<const kernels::DrawLogits> draws) {
  step->finish();
  StepInput& in = *step->sent.as<StepInput>();
  in = StepInput{};
  std::fill_n(in.slots, kStepRows, -1);
  std::copy_n(ids.host.begin(), n_rows, in.ids);
  std::copy_n(places.host.begin(), n_rows, in.positions);
  std::copy_n(kept.host.begin(), n_kept, in.kept);
  int n_parts = 0;
  for (const Part& part : parts) {
    const auto T = static_cast<std::int32_t>(part.input->canvas.size());
    std::fill_n(in.slots + part.first, part.rows(), part.input->slot);
    in.parts[n_parts] = {part.first, part.rows(), part.input->slot, T};
    in.last_parts[n_parts++] = {part.first_query, part.queries, part.input->slot, T};
  }
  for (kernels::StepDraw& draw : in.draws) draw = {-1, -1, 0, {}, 0};
  int n_draws = 0;
  int n_banned = 0;
  for (const kernels::DrawLogits& draw : draws) {
    const std::uint8_t restricted = draw.allowed.empty() ? 0 : 1;
    if (restricted != 0) step->allow(*backend, draw.allowed);
    for (std::size_t i = 0; i < draw.results.size(); ++i) {
      in.draws[n_draws] = {draw.rows[i], draw.forbidden, draw.temperature, draw.confidence,
                           restricted};
      in.uniforms[n_draws] = draw.uniforms[i];
      in.banned_begin[n_draws++] = n_banned + draw.banned_begin[i];
    }
    std::ranges::copy(draw.banned, in.banned + n_banned);
    n_banned += static_cast<int>(draw.banned.size());
    in.banned_begin[n_draws] = n_banned;
  }
}

// The whole step, from the copy of its StepInput to that of its results.
void ForwardPass::Buffers::queue_step(const StepShape& shape) {
  const ModelConfig& config = weights->config;
  kernels::StepDevice& device = *step->device;
  const StepInput* in = step->input.as<StepInput>();  // only for its addresses: it is the device's
  const int n_parts = shape.batch ? kStepParts : 1;
  // Fewer would be of a smaller bucket.
  const int least_rows = shape.rows == kernels::kLeastStepRows ? 1 : shape.rows / 2 + 1;
  device.send(step->input.as<void>(), step->sent.as<void>(), sizeof(StepInput));
  embed(in->ids, shape.rows);
  for (int layer = 0; layer < config.layers; ++layer) {
    const bool is_last = layer == config.layers - 1;
    project_qkv_rows(layer, 0, shape.rows);
    device.rope_store({.q = q.as<float>(),
                       .cache = cache(0, layer),
                       .qkv = qkv.as<float>(),
                       .input = in,
                       .cos = cos.as<float>(),
                       .sin = sin.as<float>(),
                       .M = shape.rows,
                       .H = config.heads});
    if (is_last) keep_rows(in->kept, shape.rows);
    device.attention({.y = q.as<float>(),
                      .q = q.as<float>(),
                      .cache = cache(0, layer),
                      .parts = is_last ? in->last_parts : in->parts,
                      .n_parts = n_parts,
                      .least_rows = is_last || shape.batch ? 1 : least_rows,
                      .M = shape.rows,
                      .H = config.heads,
                      .scale = 1.0F / std::sqrt(static_cast<float>(config.head_size))});
    output_and_mlp(layer, shape.rows);
  }
  final_norm(shape.rows);
  if (!shape.draws) return;
  const int most = logit_rows(limits.rows, config.vocab_size);
  for (int first = 0; first < shape.rows; first += most) {
    const int count = std::min(most, shape.rows - first);
    project(first, count, logits.as<float>());
    device.draw({.results = step->results.as<RowResult>(),
                 .logits = logits.as<float>(),
                 .input = in,
                 .allowed = step->allowed.as<std::uint8_t>(),
                 .n_draws = shape.rows + n_parts,
                 .first = first,
                 .count = count,
                 .V = config.vocab_size});
  }
  device.fetch(step->fetched.as<void>(), step->results.as<void>(), step->results.bytes());
}

void ForwardPass::Buffers::run_step(int n_rows, std::span<const kernels::DrawLogits> draws) {
  const StepShape shape = {
      .rows = kernels::step_bucket(n_rows), .batch = parts.size() > 1, .draws = !draws.empty()};
  assert(shape.rows > 0 && shape.rows <= limits.rows);
  n_hidden = shape.rows;  // for project(): what the bucket has
  const int n_kept = count_wanted();
  write_step(n_rows, n_kept, draws);
  step->is_running = true;
  StepMemory::Taken& taken = step->taken(shape);
  bool started = taken.recording && step->device->replay(*taken.recording);
  if (!started && taken.seen) {
    taken.recording.reset();  // it may be of no use any more
    taken.recording = step->device->record([&] { queue_step(shape); });
    started = taken.recording && step->device->replay(*taken.recording);
  }
  if (!started) queue_step(shape);
  taken.seen = true;
  n_hidden = n_kept;
  if (draws.empty()) return;
  step->finish();
  const RowResult* result = step->fetched.as<RowResult>();
  for (const kernels::DrawLogits& draw : draws) {
    std::copy_n(result, draw.results.size(), draw.results.begin());
    result += draw.results.size();
  }
}

}  // namespace lacuna::engine
