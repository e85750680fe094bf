#include "engine/checkpoint/bind_tensors.h"

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

  TensorView take(const std::string& name, const Shape& shape) {
    const auto found = left_.find(name);
    if (found == left_.end()) {
      refuse(fail(ErrorCode::Corrupt, "tensor " + quote(name) + " is missing; config.json asks " +
                                          "for shape " + shape_text(shape)));
      return {};
    }
    const SafetensorsEntry& entry = *found->second;
    left_.erase(found);
    if (entry.shape != shape) {
      refuse(fail(ErrorCode::Corrupt, "tensor " + quote(name) + " has shape " +
                                          shape_text(entry.shape) + "; config.json asks for " +
                                          shape_text(shape)));
      return {};
    }
    Result<TensorView> view = weights_of(entry);
    if (view) return std::move(*view);
    refuse(view.error());
    return {};
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

LayerTensors take_layer(TensorPool& pool, const ModelConfig& config, const TensorNames& names,
                        int layer) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t q_rows = std::int64_t{config.heads} * config.head_size;
  const std::int64_t kv_rows = std::int64_t{config.kv_heads} * config.head_size;
  const std::string prefix = names.layer_prefix + std::to_string(layer) + ".";
  const auto take = [&](const char* name, const Shape& shape) {
    return pool.take(prefix + weight(name), shape);
  };
  const auto take_bias = [&](const char* name, std::int64_t rows) {
    return config.qkv_bias ? pool.take(prefix + name + ".bias", {rows}) : TensorView{};
  };
  return {
      .input_norm = take(names.input_norm, {D}),
      .q = take(names.q, {q_rows, D}),
      .k = take(names.k, {kv_rows, D}),
      .v = take(names.v, {kv_rows, D}),
      .o = take(names.o, {D, q_rows}),
      .q_bias = take_bias(names.q, q_rows),
      .k_bias = take_bias(names.k, kv_rows),
      .v_bias = take_bias(names.v, kv_rows),
      .post_norm = take(names.post_norm, {D}),
      .gate = take(names.gate, {F, D}),
      .up = take(names.up, {F, D}),
      .down = take(names.down, {D, F}),
  };
}

}  // namespace

Result<ModelTensors> bind_tensors(const ModelConfig& config,
                                  std::span<const SafetensorsFile> files) {
  const std::int64_t V = config.vocab_size;
  const std::int64_t D = config.hidden_size;
  const TensorNames& names = config.architecture == Architecture::Llada ? kLladaNames : kQwen2Names;
  TensorPool pool(files);
  ModelTensors tensors;
  tensors.embedding = pool.take(weight(names.embedding), {V, D});
  for (int layer = 0; layer < config.layers && !pool.error(); ++layer) {
    tensors.layers.push_back(take_layer(pool, config, names, layer));
  }
  tensors.norm = pool.take(weight(names.norm), {D});
  const std::string lm_head = weight(names.lm_head);
  if (!config.tied_embeddings) {
    tensors.lm_head = pool.take(lm_head, {V, D});
  } else {
    tensors.lm_head = tensors.embedding;
    if (pool.has(lm_head)) pool.take(lm_head, {V, D});
  }
  pool.refuse_what_is_left();
  if (pool.error()) return *pool.error();
  return tensors;
}

}  // namespace lacuna::engine
