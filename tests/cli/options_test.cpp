#include <cmath>

#include <gtest/gtest.h>

#include "cli/bench_measure.h"
#include "cli/common_options.h"
#include "cli/doctor_checks.h"
#include "cli/exit.h"
#include "cli/fill.h"
#include "cli/json_numbers.h"
#include "cli/load_model.h"
#include "cli/source_text.h"

namespace lacuna::cli {
namespace {

using kernels::DType;
using kernels::Isa;

std::string numbers(const std::string& dtype, bool exact, DType stored, Isa isa) {
  CommonOptions options;
  options.dtype = dtype;
  options.exact = exact;
  return describe(choose_numbers(options, stored, isa));
}

TEST(NumbersTest, KeepBf16WeightsAndUseFastProductsWhereThereAreAny) {
  EXPECT_EQ(numbers("auto", false, DType::BF16, Isa::Avx512Bf16), "bf16");
  EXPECT_EQ(numbers("auto", false, DType::BF16, Isa::Avx2), "bf16 weights, f32 products");
  EXPECT_EQ(numbers("auto", false, DType::F32, Isa::Avx512Bf16), "f32");
  EXPECT_EQ(numbers("auto", false, DType::F16, Isa::Avx512Bf16), "f32");
  EXPECT_EQ(numbers("auto", true, DType::BF16, Isa::Avx512Bf16), "bf16 weights, f32 products");
}

TEST(NumbersTest, OfAGpuAreBf16ProductsUnlessFloatIsAskedForOrStored) {
  const auto on_gpu = [](const std::string& dtype, bool exact, DType stored) {
    CommonOptions options;
    options.dtype = dtype;
    options.exact = exact;
    return describe(choose_gpu_numbers(options, stored));
  };
  EXPECT_EQ(on_gpu("auto", false, DType::BF16), "bf16");
  EXPECT_EQ(on_gpu("auto", false, DType::F16), "bf16");
  EXPECT_EQ(on_gpu("auto", false, DType::F32), "f32");
  EXPECT_EQ(on_gpu("auto", false, DType::I4), "int8");
  EXPECT_EQ(on_gpu("bf16", false, DType::F32), "bf16");
  EXPECT_EQ(on_gpu("int8", false, DType::BF16), "int8");
  EXPECT_EQ(on_gpu("auto", true, DType::BF16), "f32");
  EXPECT_EQ(on_gpu("f32", false, DType::I8), "f32");
}

TEST(NumbersTest, DoWhatIsAsked) {
  EXPECT_EQ(numbers("f32", false, DType::BF16, Isa::Avx512Bf16), "f32");
  EXPECT_EQ(numbers("bf16", false, DType::F32, Isa::Avx512Bf16), "bf16");
  EXPECT_EQ(numbers("bf16", true, DType::F32, Isa::Avx512Bf16), "bf16 weights, f32 products");
}

TEST(NumbersTest, KeepIntegersUnlessFloatsAreAskedForOrFaster) {
  for (const DType stored : {DType::I8, DType::I4}) {
    EXPECT_EQ(numbers("auto", false, stored, Isa::Avx512Bf16), "int8");
    EXPECT_EQ(numbers("auto", false, stored, Isa::Avx2), "int8");
    EXPECT_EQ(numbers("auto", false, stored, Isa::Scalar), "bf16 weights, f32 products");
    EXPECT_EQ(numbers("auto", true, stored, Isa::Avx2), "f32");
    EXPECT_EQ(numbers("f32", false, stored, Isa::Avx2), "f32");
    EXPECT_EQ(numbers("bf16", false, stored, Isa::Avx512Bf16), "bf16");
  }
  EXPECT_EQ(numbers("int8", false, DType::F32, Isa::Avx2), "int8");
  EXPECT_EQ(numbers("int8", false, DType::BF16, Isa::Scalar), "int8");
}

TEST(SamplingFlagsTest, ReplaceOnlyWhatIsGiven) {
  engine::SamplingOptions defaults;
  defaults.steps = 7;
  defaults.top_k = 5;
  SamplingFlags flags;
  flags.alg = "topk_margin";
  flags.top_p = 0.5F;
  const auto options = with_flags(defaults, flags, 42);
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->steps, 7);
  EXPECT_EQ(options->top_k, 5);
  EXPECT_EQ(options->top_p, 0.5F);
  EXPECT_EQ(options->algorithm, engine::Algorithm::TopkMargin);
  EXPECT_EQ(options->seed, 42U);
}

TEST(SamplingFlagsTest, AreChecked) {
  const auto refused = [](auto set) {
    SamplingFlags flags;
    set(flags);
    return !with_flags({}, flags, 0).has_value();
  };
  EXPECT_TRUE(refused([](SamplingFlags& it) { it.steps = 0; }));
  EXPECT_TRUE(refused([](SamplingFlags& it) { it.top_p = 1.5F; }));
  EXPECT_TRUE(refused([](SamplingFlags& it) { it.top_k = 0; }));
  EXPECT_TRUE(refused([](SamplingFlags& it) { it.temperature = std::nanf(""); }));
  EXPECT_TRUE(refused([](SamplingFlags& it) { it.alg = "best"; }));
}

TEST(PublishedDefaultsTest, AreDreams) {
  const auto options = published_defaults({});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->steps, 512);
  EXPECT_EQ(options->algorithm, engine::Algorithm::Origin);
  EXPECT_FLOAT_EQ(options->eps, 1e-3F);
  EXPECT_EQ(options->temperature, 0);
}

TEST(PublishedDefaultsTest, GiveWayToTheModelsOwn) {
  engine::GenerationDefaults model;
  model.steps = 16;
  model.alg = "entropy";
  model.temperature = 0.2;
  model.top_p = 0.95;
  const auto options = published_defaults(model);
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->steps, 16);
  EXPECT_EQ(options->algorithm, engine::Algorithm::Entropy);
  EXPECT_FLOAT_EQ(options->temperature, 0.2F);
  EXPECT_FLOAT_EQ(*options->top_p, 0.95F);
  model.alg = "best";
  EXPECT_NE(published_defaults(model).error().message.find("generation_config.json"),
            std::string::npos);
}

std::string holes(std::string_view text, const FillOptions& options) {
  const auto found = holes_of(text, options);
  if (!found) return "error: " + found.error().message;
  std::string list;
  for (const engine::Hole& hole : *found) {
    list += "[" + std::to_string(hole.begin) + "," + std::to_string(hole.end) + ")";
  }
  return list;
}

TEST(FillHolesTest, AreTheMarkersUnlessPlacesAreNamed) {
  const std::string text = "a ⟦?⟧\nbcd\n";
  FillOptions options;
  EXPECT_EQ(holes(text, options), "[2,9)");
  options.at = {"2:3", "1:1"};
  EXPECT_EQ(holes(text, options), "[0,0)[12,12)");
  options.spans = {"1:2-2:2"};
  EXPECT_EQ(holes(text, options), "[0,0)[1,11)[12,12)");
  options.at = {"2:1"};
  EXPECT_EQ(holes(text, options), "error: two holes overlap at 2:1");
  options.spans = {"2:2-2:1"};
  EXPECT_EQ(holes(text, options), "error: a hole ends at byte 10, before its begin at byte 11");
}

TEST(FillHolesTest, AtACursorTakeWhatTheGrammarFindsThere) {
  const std::string text = "x = f(a,\n      b)\ny = g(1)\n";
  FillOptions options;
  options.file = "a.py";
  options.at = {"1:7"};
  EXPECT_EQ(holes(text, options), "[6,7)") << "an argument";
  options.at = {"1:5"};
  EXPECT_EQ(holes(text, options), "[4,17)") << "an expression of two lines";
  options.at = {"1:5", "1:9"};
  EXPECT_EQ(holes(text, options), "[4,8)[8,16)") << "up to the next place";
  options.at = {"3:5"};
  options.spans = {"3:7-3:8"};
  EXPECT_EQ(holes(text, options), "[22,24)[24,25)") << "up to a span";
  options.spans = {};
  options.language = "none";
  EXPECT_EQ(holes(text, options), "[22,22)") << "without a grammar an insertion";
}

TEST(FillHolesTest, SayWhatToDoWhenThereIsNone) {
  const std::string none = holes("abc\n", {});
  EXPECT_NE(none.find("⟦?⟧"), std::string::npos);
  EXPECT_NE(none.find("--at"), std::string::npos);
}

TEST(SourceTest, RefusesWhatIsNoSource) {
  EXPECT_TRUE(check_source("", "x").has_value());
  EXPECT_TRUE(check_source("caf\xE9\r\n", "x").has_value());
  EXPECT_EQ(check_source(std::string_view("ab\0c", 4), "x").error().message,
            "x is not a text: byte 2 is NUL (UTF-16 must be converted to UTF-8 first)");
  const std::string line(kMaxLineBytes, 'a');
  EXPECT_TRUE(check_source(line + "\r\n" + line, "x").has_value());
  EXPECT_EQ(check_source("b\n" + line + "a", "x").error().message,
            "line 2 of x has 64.0 KiB; lines of more than 64.0 KiB are not filled (is the file "
            "minified?)");
}

TEST(ExitTest, ErrorsAreOneLine) { EXPECT_EQ(one_line("a\nb\r\x1B[2Jc"), "a b  [2Jc"); }

TEST(JsonNumbersTest, PrintAsTheFloatDoes) {
  EXPECT_EQ(as_json(0.9F), 0.9);
  EXPECT_EQ(json_text(0.1F), "0.1");
  EXPECT_EQ(json_text(-1e-30F), "-1e-30");
  EXPECT_EQ(json_text(INFINITY), "null");
}

TEST(BenchTest, TakesBestAndMedian) {
  EXPECT_EQ(timing_of({3, 1, 2}).best, 1);
  EXPECT_EQ(timing_of({3, 1, 2}).median, 2);
  EXPECT_EQ(timing_of({4, 1, 2, 3}).median, 2.5);
}

TEST(BenchTest, CountsOperations) {
  engine::ModelConfig config;
  config.layers = 1;
  config.hidden_size = 2;
  config.heads = 1;
  config.kv_heads = 1;
  config.head_size = 2;
  config.intermediate_size = 3;
  config.vocab_size = 5;
  // q, k, v, o: 4 each; MLP 18; attention 2 * 2 * 10; one row of logits 10.
  EXPECT_EQ(operations_of(config, 10, 1, 1), 2 * (16 + 18 + 40 + 10));
}

TEST(DoctorTest, JudgesTheMachine) {
  engine::CpuState cpu;
  cpu.model = "X";
  cpu.isa = Isa::Scalar;
  cpu.memory = 8ULL << 30;
  cpu.free_memory = 100ULL << 20;
  EXPECT_EQ(check_cpu(cpu).status, Check::Status::Warn);
  EXPECT_EQ(check_memory(cpu).status, Check::Status::Warn);
  EXPECT_FALSE(check_memory(cpu).advice.empty());
  cpu.isa = Isa::Avx2;
  cpu.free_memory = 4ULL << 30;
  EXPECT_EQ(check_cpu(cpu).status, Check::Status::Ok);
  EXPECT_EQ(check_memory(cpu).status, Check::Status::Ok);
  EXPECT_EQ(check_cuda({.built = true, .problem = "no driver"}).status, Check::Status::Warn);
  EXPECT_EQ(check_cuda({.problem = "not built"}).status, Check::Status::Ok);
  EXPECT_EQ(check_cublaslt("").status, Check::Status::Warn);
  EXPECT_FALSE(check_cublaslt("").advice.empty());
  EXPECT_EQ(check_cublaslt("13.1.0").found, "cuBLASLt 13.1.0");
}

}  // namespace
}  // namespace lacuna::cli
