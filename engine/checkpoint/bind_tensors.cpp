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

LayerTensors take_layer(TensorPool& pool, const ModelConfig& config, int layer) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t q_rows = std::int64_t{config.heads} * config.head_size;
  const std::int64_t kv_rows = std::int64_t{config.kv_heads} * config.head_size;
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const auto take = [&](const char* name, const Shape& shape) {
    return pool.take(prefix + name, shape);
  };
  const auto take_bias = [&](const char* name, std::int64_t rows) {
    return config.qkv_bias ? take(name, {rows}) : TensorView{};
  };
  return {
      .input_norm = take("input_layernorm.weight", {D}),
      .q = take("self_attn.q_proj.weight", {q_rows, D}),
      .k = take("self_attn.k_proj.weight", {kv_rows, D}),
      .v = take("self_attn.v_proj.weight", {kv_rows, D}),
      .o = take("self_attn.o_proj.weight", {D, q_rows}),
      .q_bias = take_bias("self_attn.q_proj.bias", q_rows),
      .k_bias = take_bias("self_attn.k_proj.bias", kv_rows),
      .v_bias = take_bias("self_attn.v_proj.bias", kv_rows),
      .post_norm = take("post_attention_layernorm.weight", {D}),
      .gate = take("mlp.gate_proj.weight", {F, D}),
      .up = take("mlp.up_proj.weight", {F, D}),
      .down = take("mlp.down_proj.weight", {D, F}),
  };
}

}  // namespace

Result<ModelTensors> bind_tensors(const ModelConfig& config,
                                  std::span<const SafetensorsFile> files) {
  const std::int64_t V = config.vocab_size;
  const std::int64_t D = config.hidden_size;
  TensorPool pool(files);
  ModelTensors tensors;
  tensors.embedding = pool.take("model.embed_tokens.weight", {V, D});
  for (int layer = 0; layer < config.layers && !pool.error(); ++layer) {
    tensors.layers.push_back(take_layer(pool, config, layer));
  }
  tensors.norm = pool.take("model.norm.weight", {D});
  const std::string lm_head = "lm_head.weight";
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
