#include "engine/checkpoint/bind_tensors.h"

#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/checkpoint/quote.h"

namespace lacuna::engine {
namespace {

using Shape = std::vector<std::int64_t>;

// All tensors of all files by name. What has been asked for is taken out, so what is left at the
// end was not expected. Keeps the first problem, as JsonFields does.
class TensorPool {
 public:
  explicit TensorPool(std::span<const SafetensorsFile> files) {
    for (const SafetensorsFile& file : files) {
      for (const SafetensorsEntry& entry : file.entries()) {
        if (left_.emplace(entry.name, &entry).second) continue;
        refuse(fail(ErrorCode::Corrupt, "tensor " + quote(entry.name) + " is in two files"));
      }
    }
  }

  bool has(const std::string& name) const { return left_.count(name) != 0; }

  // `quantisation` is the config's.
  TensorView take(const TensorSlot& slot, const std::optional<QuantisedWeights>& quantisation) {
    if (!quantisation || slot.kind == TensorKind::Vector) return take_floats(slot.name, slot.shape);
    const int bits = slot.kind == TensorKind::Table ? 8 : quantisation->bits;
    return bits == 8 ? take_int8(slot) : take_int4(slot, quantisation->group);
  }

  void refuse_what_is_left() {
    constexpr std::size_t kMaxNamed = 3;
    std::string names;
    std::size_t count = 0;
    for (const auto& [name, entry] : left_) {
      if (name.ends_with(".rotary_emb.inv_freq")) continue;
      if (++count > kMaxNamed) continue;
      names += (count == 1 ? "" : ", ") + quote(name) + " " + shape_text(entry->shape);
    }
    if (count == 0) return;
    if (count > kMaxNamed) names += " and " + std::to_string(count - kMaxNamed) + " more";
    refuse(fail(ErrorCode::Corrupt, "the model has no use for tensor " + names));
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  void refuse(Error error) {
    if (!error_) error_ = std::move(error);
  }

  // The entry of that name and shape; null, with a problem noted, when there is none.
  const SafetensorsEntry* take_entry(const std::string& name, const Shape& shape) {
    const auto found = left_.find(name);
    if (found == left_.end()) {
      refuse(fail(ErrorCode::Corrupt, "tensor " + quote(name) + " is missing; config.json asks " +
                                          "for shape " + shape_text(shape)));
      return nullptr;
    }
    const SafetensorsEntry& entry = *found->second;
    left_.erase(found);
    if (entry.shape == shape) return &entry;
    refuse(fail(ErrorCode::Corrupt, "tensor " + quote(name) + " has shape " +
                                        shape_text(entry.shape) + "; config.json asks for " +
                                        shape_text(shape)));
    return nullptr;
  }

  TensorView take_floats(const std::string& name, const Shape& shape) {
    const SafetensorsEntry* entry = take_entry(name, shape);
    if (entry == nullptr) return {};
    Result<TensorView> view = weights_of(*entry);
    if (view) return std::move(*view);
    refuse(view.error());
    return {};
  }

  // The bytes of a tensor of exactly this type; empty when there is none.
  std::span<const std::byte> take_bytes(const std::string& name, const Shape& shape,
                                        std::string_view type) {
    const SafetensorsEntry* entry = take_entry(name, shape);
    if (entry == nullptr) return {};
    if (entry->type_name == type) return entry->data;
    refuse(fail(ErrorCode::Corrupt,
                "tensor " + quote(name) + " has dtype " + std::string(entry->type_name) +
                    "; config.json's lacuna_quantization asks for " + std::string(type)));
    return {};
  }

  // One float for each row. Any other content of a model file gives some number.
  const void* take_scales(const TensorSlot& slot) {
    const std::string name = slot.name + std::string(kScaleSuffix);
    const std::span<const std::byte> bytes = take_bytes(name, {slot.shape[0]}, "F32");
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(float)) {
      float scale = 0;
      std::memcpy(&scale, bytes.data() + at, sizeof scale);
      if (scale >= 0 && std::isfinite(scale)) continue;
      refuse(fail(ErrorCode::Corrupt, "tensor " + quote(name) + " has " + std::to_string(scale) +
                                          " for row " + std::to_string(at / sizeof scale) +
                                          "; a scale is finite and not negative"));
      break;
    }
    return bytes.data();
  }

  TensorView take_int8(const TensorSlot& slot) {
    TensorView view = {.type = kernels::DType::I8,
                       .shape = slot.shape,
                       .data = take_bytes(slot.name, slot.shape, "I8")};
    view.parts.scales = take_scales(slot);
    return view;
  }

  TensorView take_int4(const TensorSlot& slot, int group) {
    const std::int64_t rows = slot.shape[0];
    const std::int64_t columns = slot.shape[1];
    const Shape groups = {rows, (columns + group - 1) / group};
    TensorView view = {.type = kernels::DType::I4,
                       .shape = slot.shape,
                       .data = take_bytes(slot.name, {rows, (columns + 1) / 2}, "U8")};
    view.parts = {
        .scales = take_scales(slot),
        .steps = take_bytes(slot.name + std::string(kStepSuffix), groups, "U8").data(),
        .offsets = take_bytes(slot.name + std::string(kOffsetSuffix), groups, "I8").data(),
        .group = group};
    return view;
  }

  std::map<std::string, const SafetensorsEntry*, std::less<>> left_;
  std::optional<Error> error_;
};

void add_layer(std::vector<TensorSlot>& slots, const ModelConfig& config, int layer_idx,
               LayerTensors& layer) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t q_rows = std::int64_t{config.heads} * config.head_size;
  const std::int64_t kv_rows = std::int64_t{config.kv_heads} * config.head_size;
  const std::string prefix = "model.layers." + std::to_string(layer_idx) + ".";
  const auto add = [&](const char* name, const Shape& shape, TensorView& view) {
    const TensorKind kind = shape.size() == 1 ? TensorKind::Vector : TensorKind::Matrix;
    slots.push_back({prefix + name, shape, kind, &view});
  };
  add("input_layernorm.weight", {D}, layer.input_norm);
  add("self_attn.q_proj.weight", {q_rows, D}, layer.q);
  add("self_attn.k_proj.weight", {kv_rows, D}, layer.k);
  add("self_attn.v_proj.weight", {kv_rows, D}, layer.v);
  add("self_attn.o_proj.weight", {D, q_rows}, layer.o);
  if (config.qkv_bias) {
    add("self_attn.q_proj.bias", {q_rows}, layer.q_bias);
    add("self_attn.k_proj.bias", {kv_rows}, layer.k_bias);
    add("self_attn.v_proj.bias", {kv_rows}, layer.v_bias);
  }
  add("post_attention_layernorm.weight", {D}, layer.post_norm);
  add("mlp.gate_proj.weight", {F, D}, layer.gate);
  add("mlp.up_proj.weight", {F, D}, layer.up);
  add("mlp.down_proj.weight", {D, F}, layer.down);
}

TensorSlot head_slot(const ModelConfig& config, TensorView& view) {
  return {"lm_head.weight", {config.vocab_size, config.hidden_size}, TensorKind::Table, &view};
}

}  // namespace

std::vector<TensorSlot> tensor_slots(const ModelConfig& config, ModelTensors& tensors) {
  const std::int64_t V = config.vocab_size;
  const std::int64_t D = config.hidden_size;
  std::vector<TensorSlot> slots;
  slots.push_back({"model.embed_tokens.weight", {V, D}, TensorKind::Table, &tensors.embedding});
  tensors.layers.resize(static_cast<std::size_t>(config.layers));
  for (int layer = 0; layer < config.layers; ++layer) {
    add_layer(slots, config, layer, tensors.layers[static_cast<std::size_t>(layer)]);
  }
  slots.push_back({"model.norm.weight", {D}, TensorKind::Vector, &tensors.norm});
  if (!config.tied_embeddings) slots.push_back(head_slot(config, tensors.lm_head));
  return slots;
}

Result<ModelTensors> bind_tensors(const ModelConfig& config,
                                  std::span<const SafetensorsFile> files) {
  TensorPool pool(files);
  ModelTensors tensors;
  for (const TensorSlot& slot : tensor_slots(config, tensors)) {
    *slot.view = pool.take(slot, config.quantisation);
    if (pool.error()) return *pool.error();
  }
  if (config.tied_embeddings) {
    TensorView unused;
    const TensorSlot head = head_slot(config, unused);
    if (pool.has(head.name)) pool.take(head, config.quantisation);
    tensors.lm_head = tensors.embedding;
  }
  pool.refuse_what_is_left();
  if (pool.error()) return *pool.error();
  return tensors;
}

}  // namespace lacuna::engine
