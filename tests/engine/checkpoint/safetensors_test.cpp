#include "engine/checkpoint/safetensors.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/helpers/safetensors_writer.h"
#include "tests/helpers/temporary_folder.h"

namespace lacuna::engine {
namespace {

using kernels::DType;
using test::bytes_of;
using test::make_tensor;
using test::TensorToWrite;

const std::vector<float> kValues = {1.0F, -2.0F, 0.5F, 3.0F, 0.0F, -0.25F};

TEST(SafetensorsTest, ReadsBackWhatWasWritten) {
  const std::string bytes = test::safetensors_bytes(
      {make_tensor("b", DType::F32, {2, 3}, kValues), make_tensor("a", DType::BF16, {6}, kValues),
       make_tensor("c", DType::F16, {3, 1, 2}, kValues)},
      {{"format", "pt"}});
  const auto file = SafetensorsFile::parse(bytes_of(bytes));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  ASSERT_EQ(file->entries().size(), 3U);
  EXPECT_EQ(file->entries()[0].name, "a");
  EXPECT_EQ(file->metadata().at("format"), "pt");

  const auto b = file->tensor("b");
  ASSERT_TRUE(b.has_value());
  EXPECT_EQ(b->type, DType::F32);
  EXPECT_EQ(b->shape, (std::vector<std::int64_t>{2, 3}));
  std::vector<float> read(6);
  ASSERT_EQ(b->data.size(), 24U);
  std::memcpy(read.data(), b->data.data(), 24);
  EXPECT_EQ(read, kValues);

  EXPECT_EQ(file->tensor("a")->type, DType::BF16);
  EXPECT_EQ(file->tensor("c")->type, DType::F16);
  EXPECT_EQ(file->tensor("c")->shape, (std::vector<std::int64_t>{3, 1, 2}));
}

TEST(SafetensorsTest, SaysThatATensorIsNotThere) {
  const std::string bytes = test::safetensors_bytes({make_tensor("b", DType::F32, {6}, kValues)});
  const auto file = SafetensorsFile::parse(bytes_of(bytes));
  ASSERT_TRUE(file.has_value());
  for (const char* name : {"a", "c", "", "bb"}) {
    EXPECT_EQ(file->find(name), nullptr);
    const auto view = file->tensor(name);
    ASSERT_FALSE(view.has_value());
    EXPECT_EQ(view.error().code, ErrorCode::NotFound);
  }
}

TEST(SafetensorsTest, LetsATensorOfAnotherTypePassUntilItIsNeeded) {
  const std::string bytes = test::safetensors_bytes({
      {"ids", "I64", {2}, std::string(16, 'x')},
      {"packed", "F4", {3, 2}, std::string(3, 'x')},
      {"six", "F6_E2M3", {4}, std::string(3, 'x')},
      {"scale", "F8_E8M0", {2}, std::string(2, 'x')},
      {"w", "F16", {1}, std::string(2, 'x')},
  });
  const auto file = SafetensorsFile::parse(bytes_of(bytes));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_TRUE(file->tensor("w").has_value());
  const auto ids = file->tensor("ids");
  ASSERT_FALSE(ids.has_value());
  EXPECT_EQ(ids.error().code, ErrorCode::InvalidInput);
  EXPECT_EQ(ids.error().message, "tensor 'ids' has dtype I64; F32, F16 and BF16 are supported");
}

// The published reader accepts all of these.
TEST(SafetensorsTest, AcceptsTheEdgesOfTheFormat) {
  const std::string cases[] = {
      test::safetensors_file("{}", ""),
      test::safetensors_file("{}      ", ""),
      test::safetensors_file(R"({"__metadata__":{}})", ""),
      // A scalar, in a file whose data starts at an odd byte.
      test::safetensors_file(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}} )", "1234"),
      // Empty tensors, between, before and after others.
      test::safetensors_file(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},
        "z":{"dtype":"F32","shape":[0, 5],"data_offsets":[4,4]},
        "b":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},
        "c":{"dtype":"F16","shape":[2, 0],"data_offsets":[4,4]}})",
                             "1234"),
      // Data in another order than the names.
      test::safetensors_file(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[2,5]},
        "b":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}})",
                             "12345"),
      // A key of a later version.
      test::safetensors_file(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"later":{"x":[1]}}})", "1"),
  };
  for (const std::string& bytes : cases) {
    const auto file = SafetensorsFile::parse(bytes_of(bytes));
    EXPECT_TRUE(file.has_value()) << file.error().message << "\n" << bytes.substr(8);
  }
}

TEST(SafetensorsTest, ViewsOfAMappedFileSurviveAMove) {
  const test::TemporaryFolder folder;
  const auto path = folder.write(
      "x.safetensors", test::safetensors_bytes({make_tensor("b", DType::F32, {6}, kValues)}));
  auto opened = SafetensorsFile::open(path);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  const TensorView view = *opened->tensor("b");
  const SafetensorsFile moved = std::move(*opened);
  float first = 0;
  std::memcpy(&first, view.data.data(), sizeof first);
  EXPECT_EQ(first, 1.0F);
  EXPECT_EQ(moved.tensor("b")->data.data(), view.data.data());
}

TEST(SafetensorsTest, NamesTheFileThatIsWrong) {
  const test::TemporaryFolder folder;
  const auto broken = SafetensorsFile::open(folder.write("x.safetensors", "short"));
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code, ErrorCode::Corrupt);
  EXPECT_EQ(broken.error().message, (folder.path() / "x.safetensors").string() +
                                        ": the file has 5 bytes, too few for a safetensors file");
  EXPECT_EQ(SafetensorsFile::open(folder.path() / "missing").error().code, ErrorCode::NotFound);
  EXPECT_FALSE(SafetensorsFile::open(folder.path()).has_value());
  EXPECT_FALSE(SafetensorsFile::open(folder.write("empty", "")).has_value());
}

}  // namespace
}  // namespace lacuna::engine
