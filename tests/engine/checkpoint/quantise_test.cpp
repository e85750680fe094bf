#include "engine/checkpoint/quantise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/transformer_predictor.h"
#include "support/file.h"
#include "tests/helpers/temporary_folder.h"
#include "tests/helpers/tiny_model.h"

namespace lacuna::engine {
namespace {

namespace fs = std::filesystem;
using test::make_tiny_model;
using test::quantised;
using test::TemporaryFolder;
using test::TensorToWrite;
using test::TinyModel;
using test::TinyModelOptions;

constexpr QuantisedWeights kEight = {.bits = 8};
constexpr QuantisedWeights kFour = {.bits = 4, .group = 32};

kernels::CpuContext& context() {
  static kernels::CpuContext shared(kernels::best_isa(), 2);
  return shared;
}

Result<std::vector<MatrixError>> run(const fs::path& source, const fs::path& out,
                                     QuantisedWeights weights) {
  QuantiseRequest request;
  request.source = source;
  request.out = out;
  request.weights = weights;
  return quantise_model(request, context());
}

// Logits of all positions of a canvas with masks.
std::vector<float> logits(const fs::path& folder, kernels::WeightFormat format) {
  const auto checkpoint = Checkpoint::open(folder);
  EXPECT_TRUE(checkpoint.has_value()) << (checkpoint ? "" : checkpoint.error().message);
  if (!checkpoint) return {};
  const ModelConfig& config = checkpoint->config();
  const Transformer transformer =
      Transformer::load(config, checkpoint->tensors(), context(), format);
  std::vector<std::int32_t> canvas;
  std::vector<std::int32_t> positions;
  for (std::int32_t i = 0; i < 40; ++i) {
    canvas.push_back(i % 3 == 2 ? *config.mask_token : i * 7 % config.vocab_size);
    positions.push_back(i);
  }
  TransformerPredictor predictor(transformer, context(), 40, kernels::Precision::F32);
  std::vector<float> result(canvas.size() * static_cast<std::size_t>(config.vocab_size));
  predictor.logits(canvas, positions, result.data());
  return result;
}

double relative_error(const std::vector<float>& got, const std::vector<float>& want) {
  EXPECT_EQ(got.size(), want.size());
  double error = 0;
  double sum = 0;
  for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
    sum += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(error / sum);
}

TinyModelOptions wide(bool tied, kernels::DType type) {
  return {.vocab_size = 100,
          .hidden_size = 72,
          .intermediate_size = 135,
          .layers = 2,
          .type = type,
          .tied = tied};
}

TEST(QuantiseModelTest, WritesAModelThatPredictsNearlyTheSame) {
  for (const bool tied : {false, true})
    for (const auto type : {kernels::DType::F32, kernels::DType::BF16}) {
      const TemporaryFolder folder;
      const fs::path source = folder.path() / "source";
      fs::create_directory(source);
      write_model(source, make_tiny_model(wide(tied, type)), tied ? 1 : 3);
      const std::vector<float> want = logits(source, kernels::WeightFormat::F32);
      for (const QuantisedWeights weights : {kEight, kFour}) {
        const fs::path out = folder.path() / std::to_string(weights.bits);
        const auto errors = run(source, out, weights);
        ASSERT_TRUE(errors.has_value()) << errors.error().message;
        EXPECT_EQ(errors->size(), tied ? 15U : 16U);
        for (const MatrixError& error : *errors) {
          EXPECT_GT(error.relative, 0) << error.name;
          EXPECT_LT(error.relative, error.bits == 8 ? 0.012 : 0.1) << error.name;
        }
        const double limit = weights.bits == 8 ? 0.04 : 0.25;
        EXPECT_LT(relative_error(logits(out, kernels::WeightFormat::Int8), want), limit);
        EXPECT_LT(relative_error(logits(out, kernels::WeightFormat::F32), want), limit);
        EXPECT_LT(relative_error(logits(out, kernels::WeightFormat::Bf16), want), limit);
      }
    }
}

// Rounding to int8 while loading and before storing is the same thing.
TEST(QuantiseModelTest, EightBitsAreThoseOfLoadingAsInt8) {
  const TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  fs::create_directory(source);
  write_model(source, make_tiny_model(wide(false, kernels::DType::BF16)));
  ASSERT_TRUE(run(source, folder.path() / "out", kEight).has_value());
  const auto before = Checkpoint::open(source);
  const auto after = Checkpoint::open(folder.path() / "out");
  ASSERT_TRUE(before.has_value() && after.has_value());
  const auto pack = [](const TensorView& view) {
    return kernels::PackedMatrix::pack(context(),
                                       {.data = view.data.data(),
                                        .type = view.type,
                                        .rows = static_cast<int>(view.shape[0]),
                                        .parts = view.parts},
                                       static_cast<int>(view.shape[1]),
                                       kernels::WeightFormat::Int8);
  };
  const auto a = pack(before->tensors().layers[1].down);
  const auto b = pack(after->tensors().layers[1].down);
  ASSERT_EQ(a.bytes(), b.bytes());
  EXPECT_EQ(std::memcmp(a.int8_panel(0), b.int8_panel(0), 72 * 136), 0);
  EXPECT_EQ(std::memcmp(a.scales(0), b.scales(0), 72 * sizeof(float)), 0);
}

TEST(QuantiseModelTest, WritesWhatTheFormatSays) {
  const TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  fs::create_directory(source);
  const TinyModel model = make_tiny_model(wide(true, kernels::DType::F32));
  write_model(source, model);
  for (const QuantisedWeights weights : {kEight, kFour}) {
    const fs::path out = folder.path() / std::to_string(weights.bits);
    ASSERT_TRUE(run(source, out, weights).has_value());
    const auto file = SafetensorsFile::open(out / "model.safetensors");
    ASSERT_TRUE(file.has_value()) << file.error().message;
    const TinyModel want = quantised(model, weights);
    EXPECT_EQ(file->entries().size(), want.tensors.size());
    for (const TensorToWrite& tensor : want.tensors) {
      const SafetensorsEntry* entry = file->find(tensor.name);
      ASSERT_NE(entry, nullptr) << tensor.name;
      EXPECT_EQ(entry->type_name, tensor.type_name) << tensor.name;
      EXPECT_EQ(entry->shape, tensor.shape) << tensor.name;
      ASSERT_EQ(entry->data.size(), tensor.data.size()) << tensor.name;
      EXPECT_EQ(std::memcmp(entry->data.data(), tensor.data.data(), tensor.data.size()), 0)
          << tensor.name;
    }
    const auto checkpoint = Checkpoint::open(out);
    ASSERT_TRUE(checkpoint.has_value());
    EXPECT_EQ(checkpoint->config().quantisation->bits, weights.bits);
    EXPECT_EQ(checkpoint->tensors().lm_head.data.data(),
              checkpoint->tensors().embedding.data.data());
    EXPECT_EQ(checkpoint->parameter_count(), Checkpoint::open(source)->parameter_count());
  }
}

TEST(QuantiseModelTest, CopiesEverythingThatIsNotWeights) {
  const TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  fs::create_directory(source);
  write_model(source, make_tiny_model({}), 2);
  folder.write("source/tokenizer.json", "{}");
  folder.write("source/LICENSE", "mine");
  folder.write("source/pytorch_model.bin", "old");
  folder.write("source/.gitattributes", "x");
  fs::create_directory(source / "runs");
  ASSERT_TRUE(run(source, folder.path() / "out", kEight).has_value());
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path() / "out")) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"LICENSE", "config.json", "model.safetensors",
                                             "tokenizer.json"}));
}

void check_refused(const Result<std::vector<MatrixError>>& result, const std::string& part) {
  ASSERT_FALSE(result.has_value()) << part;
  EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
}

TEST(QuantiseModelTest, LeavesNothingBehindWhenItFails) {
  const TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  const fs::path out = folder.path() / "out";
  fs::create_directory(source);
  TinyModel model = make_tiny_model({});
  write_model(source, model);
  fs::create_directory(out);
  check_refused(run(source, out, kEight), "out exists already");
  fs::remove(out);
  check_refused(run(folder.path() / "nothing", out, kEight), "nothing/config.json");
  check_refused(run(source, folder.path() / "no" / "out", kEight), "cannot create");

  std::stop_source stop;
  stop.request_stop();
  const QuantiseRequest request = {
      .source = source, .out = out, .weights = kFour, .on_progress = {}, .stop = stop.get_token()};
  check_refused(quantise_model(request, context()), "interrupted");

  ASSERT_TRUE(run(source, out, kFour).has_value());
  check_refused(run(out, folder.path() / "again", kEight), "has 4 bits already");
  fs::remove_all(out);

  const float infinity = INFINITY;
  TensorToWrite& tensor = model.tensors[3];
  std::memcpy(tensor.data.data() + 4 * tensor.shape[1], &infinity, sizeof infinity);
  write_model(source, model);
  check_refused(
      run(source, out, kEight),
      "'model.layers.0.self_attn.k_proj.weight' has a number that is not finite in row 1");
  const auto entries = fs::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(QuantiseModelTest, ReportsEveryWeightOnce) {
  const TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  fs::create_directory(source);
  write_model(source, make_tiny_model({}));
  std::int64_t last = 0;
  QuantiseRequest request;
  request.source = source;
  request.out = folder.path() / "out/";
  request.weights = kFour;
  request.on_progress = [&](const QuantiseProgress& progress) {
    EXPECT_GT(progress.done, last);
    last = progress.done;
    EXPECT_LE(progress.done, progress.total);
  };
  ASSERT_TRUE(quantise_model(request, context()).has_value());
  EXPECT_EQ(last, Checkpoint::open(source)->parameter_count());
  EXPECT_TRUE(fs::exists(folder.path() / "out" / "config.json"));
}

// A model of 4 bits in which one tensor is changed; what opening it says.
std::string refusal(QuantisedWeights weights, const std::string& name,
                    const std::function<void(TensorToWrite&)>& change) {
  TinyModel model = quantised(make_tiny_model({}), weights);
  const auto tensor = std::find_if(model.tensors.begin(), model.tensors.end(),
                                   [&](const TensorToWrite& it) { return it.name == name; });
  EXPECT_NE(tensor, model.tensors.end()) << name;
  change(*tensor);
  const std::string bytes = test::safetensors_bytes(model.tensors);
  const auto checkpoint = Checkpoint::parse(model.config_json, test::bytes_of(bytes));
  EXPECT_FALSE(checkpoint.has_value()) << name;
  return checkpoint ? "" : checkpoint.error().message;
}

TEST(QuantisedCheckpointTest, NamesTheTensorThatIsWrong) {
  const std::string q = "model.layers.0.self_attn.q_proj.weight";
  const auto says = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
  };
  const auto set_scale = [](float scale) {
    return [scale](TensorToWrite& it) { std::memcpy(it.data.data() + 8, &scale, sizeof scale); };
  };
  for (const QuantisedWeights weights : {kEight, kFour}) {
    says(refusal(weights, q, [](auto& it) { it.type_name = "BOOL"; }), "has dtype BOOL");
    says(refusal(weights, q, [](auto& it) { it.name = "x"; }), "q_proj.weight' is missing");
    says(refusal(weights, q, [](auto& it) { it.shape = {1, it.shape[0] * it.shape[1]}; }),
         "has shape");
    says(refusal(weights, q + "_scale", [](auto& it) { it.name = "x"; }), "_scale' is missing");
    says(refusal(weights, q + "_scale", [](auto& it) { it.type_name = "I32"; }), "asks for F32");
    says(refusal(weights, q + "_scale", set_scale(NAN)), "nan for row 2; a scale is finite");
    says(refusal(weights, q + "_scale", set_scale(-INFINITY)), "-inf for row 2");
    says(refusal(weights, q + "_scale", set_scale(-1)), "-1.000000 for row 2");
    says(refusal(weights, "model.norm.weight", [](auto& it) { it.type_name = "I32"; }),
         "has dtype I32; F32, F16 and BF16");
  }
  says(refusal(kFour, q + "_step", [](auto& it) { it.name = "x"; }), "_step' is missing");
  says(refusal(kFour, q + "_offset", [](auto& it) { it.type_name = "U8"; }), "asks for I8");
  says(refusal(kFour, q + "_step", [](auto& it) { it.shape = {1, 16}; }),
       "has shape [1, 16]; config.json asks for [16, 1]");
  says(refusal(kFour, "lm_head.weight_scale", set_scale(NAN)), "nan for row 2");
}

TEST(QuantisedCheckpointTest, NeedsTheTensorsThatItsConfigNames) {
  const TinyModel plain = make_tiny_model({});
  const TinyModel eight = quantised(plain, kEight);
  const TinyModel four = quantised(plain, kFour);
  const struct {
    const TinyModel& config;
    const TinyModel& tensors;
    const char* part;
  } cases[] = {{plain, eight, "has dtype I8; F32, F16 and BF16"},
               {eight, plain, "has dtype F32; config.json's lacuna_quantization asks for I8"},
               {four, eight, "has shape [16, 16]; config.json asks for [16, 8]"},
               {eight, four, "has shape [16, 8]; config.json asks for [16, 16]"}};
  for (const auto& [config, tensors, part] : cases) {
    const std::string bytes = test::safetensors_bytes(tensors.tensors);
    const auto checkpoint = Checkpoint::parse(config.config_json, test::bytes_of(bytes));
    ASSERT_FALSE(checkpoint.has_value()) << part;
    EXPECT_NE(checkpoint.error().message.find(part), std::string::npos)
        << checkpoint.error().message;
  }
}

// Whatever the bytes of integers, steps and offsets are, a pass over the model is defined.
TEST(QuantisedCheckpointTest, RunsWithAnyIntegers) {
  TinyModel model = quantised(make_tiny_model({}), kFour);
  unsigned byte = 1;
  for (TensorToWrite& tensor : model.tensors) {
    if (tensor.type_name == "F32") continue;
    for (char& value : tensor.data) value = static_cast<char>(byte = byte * 73 % 257);
  }
  const TemporaryFolder folder;
  write_model(folder.path(), model);
  for (const auto format : {kernels::WeightFormat::Int8, kernels::WeightFormat::F32}) {
    for (const float logit : logits(folder.path(), format)) EXPECT_TRUE(std::isfinite(logit));
  }
}

}  // namespace
}  // namespace lacuna::engine
