#include "lsp/protocol.h"

#include <gtest/gtest.h>

namespace lacuna::lsp {
namespace {

TEST(ProtocolTest, ARangeThatEndsBeforeItStartsIsRefused) {
  const Json range = {{"start", {{"line", 2}, {"character", 0}}},
                      {"end", {{"line", 1}, {"character", 9}}}};
  EXPECT_FALSE(read_range(range));
}

TEST(ProtocolTest, PositionsMustBeNumbersThatFit) {
  EXPECT_TRUE(read_position({{"line", 4294967295U}, {"character", 0}}));
  EXPECT_FALSE(read_position({{"line", 4294967296U}, {"character", 0}}));
  EXPECT_FALSE(read_position({{"line", -1}, {"character", 0}}));
  EXPECT_FALSE(read_position({{"line", 1.5}, {"character", 0}}));
  EXPECT_FALSE(read_position({{"line", 1}}));
  EXPECT_FALSE(read_position(Json::array()));
}

TEST(ProtocolTest, InitializeNeedsNothing) {
  const InitializeParams params = read_initialize(Json());
  EXPECT_FALSE(params.process_id);
  EXPECT_TRUE(params.folders.empty());
}

TEST(ProtocolTest, RootUriCountsWhereThereAreNoFolders) {
  EXPECT_EQ(read_initialize({{"rootUri", "file:///a"}}).folders.at(0).uri, "file:///a");
  EXPECT_TRUE(
      read_initialize({{"rootUri", nullptr}, {"workspaceFolders", nullptr}}).folders.empty());
  const Json both = {{"rootUri", "file:///a"}, {"workspaceFolders", {{{"uri", "file:///b"}}}}};
  EXPECT_EQ(read_initialize(both).folders.at(0).uri, "file:///b");
}

TEST(ProtocolTest, TheTriggerKindOnTheWireIsOneForInvoked) {
  Json params = {{"textDocument", {{"uri", "file:///a"}}},
                 {"position", {{"line", 0}, {"character", 0}}},
                 {"context", {{"triggerKind", 1}}}};
  EXPECT_TRUE(read_inline_completion(params)->invoked);
  params["context"]["triggerKind"] = 2;
  EXPECT_FALSE(read_inline_completion(params)->invoked);
}

TEST(ProtocolTest, ChangesNeedTextAndAVersion) {
  const Json document = {{"uri", "file:///a"}, {"version", 3}};
  EXPECT_TRUE(read_did_change({{"textDocument", document}, {"contentChanges", {{{"text", ""}}}}}));
  EXPECT_FALSE(read_did_change({{"textDocument", document}, {"contentChanges", {Json::object()}}}));
  EXPECT_FALSE(read_did_change({{"textDocument", document}}));
  EXPECT_FALSE(read_did_change(
      {{"textDocument", {{"uri", "file:///a"}}}, {"contentChanges", Json::array()}}));
}

TEST(ProtocolTest, PathsSurviveTheirUri) {
  for (const char* path : {"/a/b.py", "/with space/\u00e4\u6f22.c", "/per%cent/#x?y"}) {
    EXPECT_EQ(path_of_uri(uri_of_path(path)), path);
  }
  EXPECT_EQ(path_of_uri("file://localhost/a"), "/a");
  EXPECT_EQ(path_of_uri("file:///a%2"), "/a%2");
  EXPECT_EQ(path_of_uri("file://server/a"), "");
  EXPECT_EQ(path_of_uri("untitled:Untitled-1"), "");
}

}  // namespace
}  // namespace lacuna::lsp
