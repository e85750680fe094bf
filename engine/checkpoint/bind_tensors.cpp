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

// Names of the files' tensors; those of a layer stand after its prefix and its number.
struct TensorNames {
  const char* embedding;
  const char* layer_prefix;
  const char* input_norm;
  const char* q;
  const char* k;
  const char* v;
  const char* o;
  const char* post_norm;
  const char* gate;
  const char* up;
  const char* down;
  const char* norm;
  const char* lm_head;
};

constexpr TensorNames kQwen2Names = {
    .embedding = "model.embed_tokens",
    .layer_prefix = "model.layers.",
    .input_norm = "input_layernorm",
    .q = "self_attn.q_proj",
    .k = "self_attn.k_proj",
    .v = "self_attn.v_proj",
    .o = "self_attn.o_proj",
    .post_norm = "post_attention_layernorm",
    .gate = "mlp.gate_proj",
    .up = "mlp.up_proj",
    .down = "mlp.down_proj",
    .norm = "model.norm",
    .lm_head = "lm_head",
};
// ff_out is the name of each layer's last matrix and of the LM head.
constexpr TensorNames kLladaNames = {
    .embedding = "model.transformer.wte",
    .layer_prefix = "model.transformer.blocks.",
    .input_norm = "attn_norm",
    .q = "q_proj",
    .k = "k_proj",
    .v = "v_proj",
    .o = "attn_out",
    .post_norm = "ff_norm",
    .gate = "ff_proj",
    .up = "up_proj",
    .down = "ff_out",
    .norm = "model.transformer.ln_f",
    .lm_head = "model.transformer.ff_out",
};

std::string weight(const char* name) { return std::string(name) + ".weight"; }

void add_layer(std::vector<TensorSlot>& slots, const ModelConfig& config, const TensorNames& names,
               int layer_idx, LayerTensors& layer) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t q_rows = std::int64_t{config.heads} * config.head_size;
  const std::int64_t kv_rows = std::int64_t{config.kv_heads} * config.head_size;
  const std::string prefix = names.layer_prefix + std::to_string(layer_idx) + ".";
  const auto add = [&](const char* name, const Shape& shape, TensorView& view) {
    const TensorKind kind = shape.size() == 1 ? TensorKind::Vector : TensorKind::Matrix;
    slots.push_back({prefix + weight(name), shape, kind, &view});
  };
  const auto add_bias = [&](const char* name, std::int64_t rows, TensorView& view) {
    if (config.qkv_bias)
      slots.push_back({prefix + name + ".bias", {rows}, TensorKind::Vector, &view});
  };
  add(names.input_norm, {D}, layer.input_norm);
  add(names.q, {q_rows, D}, layer.q);
  add(names.k, {kv_rows, D}, layer.k);
  add(names.v, {kv_rows, D}, layer.v);
  add(names.o, {D, q_rows}, layer.o);
  add_bias(names.q, q_rows, layer.q_bias);
  add_bias(names.k, kv_rows, layer.k_bias);
  add_bias(names.v, kv_rows, layer.v_bias);
  add(names.post_norm, {D}, layer.post_norm);
  add(names.gate, {F, D}, layer.gate);
  add(names.up, {F, D}, layer.up);
  add(names.down, {D, F}, layer.down);
}

const TensorNames& names_of(const ModelConfig& config) {
  return config.architecture == Architecture::Llada ? kLladaNames : kQwen2Names;
}

TensorSlot head_slot(const ModelConfig& config, TensorView& view) {
  return {weight(names_of(config).lm_head),
          {config.vocab_size, config.hidden_size},
          TensorKind::Table,
          &view};
}

}  // namespace

std::vector<TensorSlot> tensor_slots(const ModelConfig& config, ModelTensors& tensors) {
  const std::int64_t V = config.vocab_size;
  const std::int64_t D = config.hidden_size;
  std::vector<TensorSlot> slots;
  const TensorNames& names = names_of(config);
  slots.push_back({weight(names.embedding), {V, D}, TensorKind::Table, &tensors.embedding});
  tensors.layers.resize(static_cast<std::size_t>(config.layers));
  for (int layer = 0; layer < config.layers; ++layer) {
    add_layer(slots, config, names, layer, tensors.layers[static_cast<std::size_t>(layer)]);
  }
  slots.push_back({weight(names.norm), {D}, TensorKind::Vector, &tensors.norm});
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
