#include "engine/checkpoint/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "support/file.h"
#include "tests/helpers/temporary_folder.h"
#include "tests/helpers/tiny_model.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;
using test::make_tiny_model;
using test::TemporaryFolder;
using test::TensorToWrite;
using test::TinyModel;

fs::path reference(const char* name) { return fs::path(LACUNA_TEST_DATA) / "reference" / name; }

void check_refused(const fs::path& folder, ErrorCode code, const std::string& message_part) {
  const auto checkpoint = Checkpoint::open(folder);
  ASSERT_FALSE(checkpoint.has_value()) << message_part;
  EXPECT_EQ(checkpoint.error().code, code) << checkpoint.error().message;
  EXPECT_NE(checkpoint.error().message.find(message_part), std::string::npos)
      << checkpoint.error().message << "\nlacks: " << message_part;
}

TensorToWrite& tensor_of(TinyModel& model, const std::string& name) {
  return *std::find_if(model.tensors.begin(), model.tensors.end(),
                       [&](const TensorToWrite& tensor) { return tensor.name == name; });
}

bool holds(const TensorView& view, const TensorToWrite& tensor) {
  return view.shape == tensor.shape && view.data.size() == tensor.data.size() &&
         std::memcmp(view.data.data(), tensor.data.data(), tensor.data.size()) == 0;
}

TEST(CheckpointTest, OpensTheReferenceModels) {
  const struct {
    const char* name;
    kernels::DType type;
    std::size_t files;
    std::int64_t parameters;
  } cases[] = {
      {"dream-tiny", kernels::DType::F32, 1, 179008},
      {"dream-tiny-bf16-sharded", kernels::DType::BF16, 3, 94784},
      {"golden/dream_tiny", kernels::DType::F32, 1, 114496},
  };
  for (const auto& expected : cases) {
    const auto checkpoint = Checkpoint::open(reference(expected.name));
    ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
    const ModelConfig& config = checkpoint->config();
    EXPECT_EQ(config.architecture, Architecture::Dream);
    EXPECT_EQ(checkpoint->tensors().layers.size(), static_cast<std::size_t>(config.layers));
    EXPECT_EQ(checkpoint->tensors().embedding.type, expected.type);
    EXPECT_EQ(checkpoint->weight_files().size(), expected.files);
    EXPECT_EQ(checkpoint->parameter_count(), expected.parameters) << expected.name;
    EXPECT_NE(checkpoint->tensors().lm_head.data.data(),
              checkpoint->tensors().embedding.data.data());
  }
}

TEST(CheckpointTest, GivesEveryTensorItsRole) {
  const TinyModel model = make_tiny_model({.layers = 1, .head_size = 6});
  const TemporaryFolder folder;
  write_model(folder.path(), model);
  const auto checkpoint = Checkpoint::open(folder.path());
  ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
  const LayerTensors& layer = checkpoint->tensors().layers[0];
  const TensorView* in_order[] = {&checkpoint->tensors().embedding,
                                  &layer.q,
                                  &layer.q_bias,
                                  &layer.k,
                                  &layer.k_bias,
                                  &layer.v,
                                  &layer.v_bias,
                                  &layer.o,
                                  &layer.gate,
                                  &layer.up,
                                  &layer.down,
                                  &layer.input_norm,
                                  &layer.post_norm,
                                  &checkpoint->tensors().norm,
                                  &checkpoint->tensors().lm_head};
  ASSERT_EQ(std::size(in_order), model.tensors.size());
  for (std::size_t i = 0; i < std::size(in_order); ++i) {
    EXPECT_TRUE(holds(*in_order[i], model.tensors[i])) << model.tensors[i].name;
  }
}

TEST(CheckpointTest, OpensEveryTypeSingleOrShardedOrInMemory) {
  for (const auto type : {kernels::DType::F32, kernels::DType::F16, kernels::DType::BF16}) {
    for (const int shards : {1, 2, 5}) {
      const TinyModel model = make_tiny_model({.architecture = Architecture::Qwen2, .type = type});
      const TemporaryFolder folder;
      write_model(folder.path(), model, shards);
      const auto checkpoint = Checkpoint::open(folder.path());
      ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
      EXPECT_EQ(checkpoint->config().architecture, Architecture::Qwen2);
      EXPECT_EQ(checkpoint->tensors().layers[1].down.type, type);

      const std::string bytes = test::safetensors_bytes(model.tensors);
      const auto in_memory = Checkpoint::parse(model.config_json, test::bytes_of(bytes));
      ASSERT_TRUE(in_memory.has_value()) << in_memory.error().message;
      EXPECT_EQ(in_memory->parameter_count(), checkpoint->parameter_count());
    }
  }
}

TEST(CheckpointTest, ATiedHeadIsTheEmbedding) {
  TinyModel model = make_tiny_model({.tied = true});
  for (const bool saved_twice : {false, true}) {
    if (saved_twice) {
      TensorToWrite head = tensor_of(model, "model.embed_tokens.weight");
      head.name = "lm_head.weight";
      model.tensors.push_back(head);
    }
    const std::string bytes = test::safetensors_bytes(model.tensors);
    const auto checkpoint = Checkpoint::parse(model.config_json, test::bytes_of(bytes));
    ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors().lm_head.data.data(),
              checkpoint->tensors().embedding.data.data());
  }
  tensor_of(model, "lm_head.weight").shape = {16, 48};
  const std::string bytes = test::safetensors_bytes(model.tensors);
  const auto refused = Checkpoint::parse(model.config_json, test::bytes_of(bytes));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("'lm_head.weight' has shape [16, 48]"), std::string::npos);
}

TEST(CheckpointTest, HonoursGenerationConfig) {
  const TemporaryFolder folder;
  write_model(folder.path(), make_tiny_model({.extra_config = R"("mask_token_id": null)"}));
  folder.write("generation_config.json", R"({"steps": 7, "mask_token_id": 9})");
  const auto checkpoint = Checkpoint::open(folder.path());
  ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->generation_defaults().steps, 7);
  EXPECT_EQ(checkpoint->config().mask_token, 9);
  folder.write("generation_config.json", R"({"steps": -7})");
  check_refused(folder.path(), ErrorCode::Corrupt, "generation_config.json: steps is -7");
  folder.write("generation_config.json", R"({"mask_token_id": 48})");
  check_refused(folder.path(), ErrorCode::Corrupt, "config.json: mask_token_id of generation_");
}

TEST(CheckpointTest, NamesTheFileThatIsMissing) {
  const TemporaryFolder folder;
  check_refused(folder.path() / "nowhere", ErrorCode::NotFound, "nowhere/config.json");
  check_refused(folder.path(), ErrorCode::NotFound, "config.json: No such file");
  folder.write("config.json", "{}");
  check_refused(folder.path(), ErrorCode::InvalidInput, "config.json: model_type is absent");
  folder.write("config.json", make_tiny_model().config_json);
  check_refused(folder.path(), ErrorCode::NotFound, "has no *.safetensors file");
  folder.write("config.json", std::string((1 << 20) + 1, ' '));
  check_refused(folder.path(), ErrorCode::InvalidInput, "the limit is");
}

TEST(CheckpointTest, TakesTheOnlySafetensorsFile) {
  const TemporaryFolder folder;
  write_model(folder.path(), make_tiny_model());
  fs::rename(folder.path() / "model.safetensors", folder.path() / "diffu.safetensors");
  EXPECT_TRUE(Checkpoint::open(folder.path()).has_value());
  folder.write("other.safetensors", "x");
  check_refused(folder.path(), ErrorCode::InvalidInput,
                "has 2 *.safetensors files and no model.safetensors.index.json");
}

TEST(CheckpointTest, NamesTheTensorThatDoesNotFit) {
  const struct {
    const char* name;
    const char* new_name;
    std::vector<std::int64_t> new_shape;
    const char* type_name;
    ErrorCode code;
    const char* message_part;
  } cases[] = {
      {"model.norm.weight",
       "model.norm.weihgt",
       {16},
       "F32",
       ErrorCode::Corrupt,
       "tensor 'model.norm.weight' is missing; config.json asks for shape [16]"},
      {"model.layers.1.mlp.up_proj.weight",
       "x",
       {24, 16},
       "F32",
       ErrorCode::Corrupt,
       "tensor 'model.layers.1.mlp.up_proj.weight' is missing"},
      {"model.layers.0.self_attn.k_proj.weight",
       nullptr,
       {16, 8},
       "F32",
       ErrorCode::Corrupt,
       "'model.layers.0.self_attn.k_proj.weight' has shape [16, 8]; config.json asks for [8, 16]"},
      {"model.layers.0.self_attn.q_proj.bias",
       nullptr,
       {1, 16},
       "F32",
       ErrorCode::Corrupt,
       "has shape [1, 16]; config.json asks for [16]"},
      {"lm_head.weight", nullptr, {768}, "F32", ErrorCode::Corrupt, "has shape [768]"},
      {"lm_head.weight",
       nullptr,
       {48, 16},
       "I32",
       ErrorCode::InvalidInput,
       "tensor 'lm_head.weight' has dtype I32; F32, F16 and BF16 are supported"},
  };
  for (const auto& fault : cases) {
    TinyModel model = make_tiny_model();
    TensorToWrite& tensor = tensor_of(model, fault.name);
    if (fault.new_name != nullptr) tensor.name = fault.new_name;
    tensor.shape = fault.new_shape;
    tensor.type_name = fault.type_name;
    const TemporaryFolder folder;
    write_model(folder.path(), model);
    check_refused(folder.path(), fault.code, fault.message_part);
  }
}

TEST(CheckpointTest, RefusesTensorsThatNobodyUses) {
  TinyModel model = make_tiny_model();
  const auto add = [&](const std::string& name) {
    model.tensors.push_back({name, "F32", {1}, "1234"});
  };
  add("model.layers.0.self_attn.rotary_emb.inv_freq");
  {
    const TemporaryFolder folder;
    write_model(folder.path(), model);
    EXPECT_TRUE(Checkpoint::open(folder.path()).has_value());
  }
  add("score.weight");
  add("model.layers.2.mlp.up_proj.weight");
  {
    const TemporaryFolder folder;
    write_model(folder.path(), model);
    check_refused(folder.path(), ErrorCode::Corrupt,
                  "no use for tensor 'model.layers.2.mlp.up_proj.weight' [1], 'score.weight' [1]");
  }
  add("y");
  add("z");
  add("zz");
  const TemporaryFolder folder;
  write_model(folder.path(), model);
  check_refused(folder.path(), ErrorCode::Corrupt, "'score.weight' [1], 'y' [1] and 2 more");
}

TEST(CheckpointTest, RefusesAHostileIndex) {
  const struct {
    std::string index;
    const char* message_part;
  } cases[] = {
      {"", "invalid JSON"},
      {"{}", "weight_map is missing or empty"},
      {R"({"weight_map": {}})", "weight_map is missing or empty"},
      {R"({"weight_map": []})", "weight_map is missing or empty"},
      {R"({"weight_map": {"a": 1}})", "names no string for 'a'"},
      {R"({"weight_map": {"a": "../x.safetensors"}})", "names '../x.safetensors' for 'a'"},
      {R"({"weight_map": {"a": "/etc/x.safetensors"}})", "a *.safetensors file name is needed"},
      {R"({"weight_map": {"a": "b\\x.safetensors"}})", "file name is needed"},
      {R"({"weight_map": {"a": "x\u0000.safetensors"}})", "file name is needed"},
      {R"({"weight_map": {"a": ""}})", "file name is needed"},
      {R"({"weight_map": {"a": "config.json"}})", "file name is needed"},
      {R"({"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}})", "appears twice"},
  };
  for (const auto& [index, message_part] : cases) {
    const TemporaryFolder folder;
    folder.write("config.json", make_tiny_model().config_json);
    folder.write("model.safetensors.index.json", index);
    check_refused(folder.path(), ErrorCode::Corrupt, message_part);
  }
}

TEST(CheckpointTest, ComparesTheIndexWithTheShards) {
  const TinyModel model = make_tiny_model();
  const TemporaryFolder folder;
  write_model(folder.path(), model, 2);
  const fs::path index_path = folder.path() / "model.safetensors.index.json";
  const std::string index = *read_file(index_path, 1 << 20);
  const std::string first = "model-00001-of-00002.safetensors";
  const std::string second = "model-00002-of-00002.safetensors";

  std::string moved = index;
  moved.replace(moved.find(first), first.size(), second);
  folder.write(index_path.filename(), moved);
  check_refused(folder.path(), ErrorCode::Corrupt, "is missing although the index names it here");

  folder.write(index_path.filename(), index);
  const std::string shard = *read_file(folder.path() / first, 1 << 20);
  folder.write(first, test::safetensors_bytes(model.tensors));
  check_refused(folder.path(), ErrorCode::Corrupt, "is in two files");
  folder.write(first, std::string_view(shard).substr(0, shard.size() - 1));
  check_refused(folder.path(), ErrorCode::Corrupt, first + ": tensor");
  fs::remove(folder.path() / first);
  check_refused(folder.path(), ErrorCode::NotFound, "model-00001-of-00002.safetensors");
  ASSERT_EQ(mkfifo((folder.path() / first).c_str(), 0600), 0);  // must not wait for a writer
  check_refused(folder.path(), ErrorCode::InvalidInput, "is not a regular file");
}

}  // namespace
}  // namespace lacuna::engine
