#include "lsp/framing.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lacuna::lsp {
namespace {

// All bodies of a stream that comes in pieces of `size` bytes.
std::vector<std::string> bodies_of(std::string_view stream, std::size_t size) {
  FrameReader reader;
  std::vector<std::string> bodies;
  for (std::size_t at = 0; at < stream.size(); at += size) {
    reader.push(stream.substr(at, size));
    for (;;) {
      Result<std::optional<std::string>> body = reader.next();
      if (!body || !*body) break;
      bodies.push_back(std::move(**body));
    }
  }
  return bodies;
}

std::string error_of(std::string_view stream, std::size_t max_body = FrameReader::kMaxBody) {
  FrameReader reader(max_body);
  reader.push(stream);
  const Result<std::optional<std::string>> body = reader.next();
  return body ? "" : body.error().message;
}

TEST(FramingTest, BodiesComeOutHoweverTheStreamIsCut) {
  const std::vector<std::string> bodies = {"{}", "", "{\"text\":\"\r\n\r\n\u00e9\"}", "x"};
  std::string stream;
  for (const std::string& body : bodies) stream += frame(body);
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    EXPECT_EQ(bodies_of(stream, size), bodies) << size;
  }
}

TEST(FramingTest, HeaderNamesAreCaseInsensitiveAndOtherHeadersAreSkipped) {
  EXPECT_EQ(bodies_of("X-Other: 1\r\ncontent-LENGTH:2\r\n\r\n{}", 100),
            std::vector<std::string>{"{}"});
}

TEST(FramingTest, Utf8IsAcceptedUnderBothOfItsNames) {
  for (const char* charset : {"utf-8", "utf8", "UTF-8"}) {
    const std::string stream =
        "Content-Type: application/vscode-jsonrpc; charset=" + std::string(charset) +
        "\r\nContent-Length: 2\r\n\r\n{}";
    EXPECT_EQ(bodies_of(stream, 100), std::vector<std::string>{"{}"});
  }
}

TEST(FramingTest, WrongHeadersAreErrorsThatSayWhat) {
  EXPECT_NE(error_of("Content-Length: -1\r\n\r\n").find("'-1'"), std::string::npos);
  EXPECT_NE(error_of("Content-Length: 2x\r\n\r\n").find("'2x'"), std::string::npos);
  EXPECT_NE(error_of("Content-Length: \r\n\r\n").find("not a number"), std::string::npos);
  EXPECT_NE(error_of("Content-Length: 1\r\nContent-Length: 2\r\n\r\n").find("two different"),
            std::string::npos);
  EXPECT_NE(error_of("X: 1\r\n\r\n").find("no Content-Length"), std::string::npos);
  EXPECT_NE(error_of("GET / HTTP\r\n\r\n").find("no colon"), std::string::npos);
  EXPECT_NE(error_of("Content-Type: a; charset=latin-1\r\nContent-Length: 2\r\n\r\n").find("UTF-8"),
            std::string::npos);
}

TEST(FramingTest, AnAnnouncedBodyBeyondTheLimitIsRefusedBeforeItComes) {
  EXPECT_NE(error_of("Content-Length: 2147483648\r\n\r\n").find("limit"), std::string::npos);
  EXPECT_NE(error_of("Content-Length: 99999999999999999999999999\r\n\r\n").find("limit"),
            std::string::npos);
  EXPECT_NE(error_of("Content-Length: 11\r\n\r\n", 10).find("limit"), std::string::npos);
  EXPECT_EQ(error_of("Content-Length: 10\r\n\r\n", 10), "");
}

TEST(FramingTest, AHeaderWithoutEndIsRefused) {
  EXPECT_NE(error_of(std::string(FrameReader::kMaxHeader + 1, 'a')).find("longer"),
            std::string::npos);
  EXPECT_EQ(error_of(std::string(100, 'a')), "");
}

TEST(FramingTest, AfterAnErrorEverythingFails) {
  FrameReader reader;
  reader.push("nonsense\r\n\r\n");
  ASSERT_FALSE(reader.next());
  reader.push(frame("{}"));
  EXPECT_FALSE(reader.next());
}

TEST(FramingTest, KnowsWhetherTheStreamEndsInTheMiddle) {
  FrameReader reader;
  reader.push(frame("{}"));
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.in_the_middle());
  reader.push("Content-L");
  EXPECT_TRUE(reader.in_the_middle());
}

// Ten thousand streams of valid messages with random bytes changed, inserted or removed.
TEST(FramingTest, SpoiledStreamsNeverCrash) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  int read = 0;
  int refused = 0;
  for (int round = 0; round < 10000; ++round) {
    std::string stream = frame("{\"jsonrpc\":\"2.0\"}") + frame("[]");
    for (std::size_t change = below(4); change > 0; --change) {
      const std::size_t at = below(stream.size());
      const auto byte = static_cast<char>(below(256));
      if (below(3) == 0)
        stream.erase(at, 1 + below(5));
      else if (below(2) == 0)
        stream.insert(at, 1, byte);
      else
        stream[at] = byte;
    }
    FrameReader reader(1000);
    reader.push(stream);
    for (;;) {
      const Result<std::optional<std::string>> body = reader.next();
      refused += body ? 0 : 1;
      if (!body || !*body) break;
      ++read;
      ASSERT_LE((*body)->size(), 1000U);
    }
  }
  EXPECT_GT(read, 1000);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace lacuna::lsp
