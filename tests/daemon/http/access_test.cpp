#include "daemon/http/access.h"

#include <gtest/gtest.h>

namespace lacuna::daemon::http {
namespace {

int status(const Options& options, std::vector<Header> headers, bool open = false) {
  Request request;
  request.headers = std::move(headers);
  const auto refused = check_access(request, options, open);
  return refused ? refused->status : 200;
}

TEST(AccessTest, LoopbackNamesAndAddressesAreGoodHosts) {
  for (const char* host : {"localhost", "LOCALHOST:8012", "127.0.0.1", "127.0.0.1:1", "[::1]:8012",
                           "192.168.1.7:80"}) {
    EXPECT_EQ(status({}, {{"Host", host}}), 200) << host;
  }
}

TEST(AccessTest, NamesThatMayHaveBeenReboundAreRefused) {
  for (const char* host : {"evil.example", "localhost.evil.example:8012", "127.0.0.1.evil.example",
                           "", "[", "2130706433"}) {
    EXPECT_EQ(status({}, {{"Host", host}}), 403) << host;
  }
}

TEST(AccessTest, ARequestHasOneHost) {
  EXPECT_EQ(status({}, {}), 400);
  EXPECT_EQ(status({}, {{"Host", "localhost"}, {"host", "localhost"}}), 400);
}

TEST(AccessTest, AllowedNamesAreGoodHosts) {
  Options options;
  options.allowed_hosts = {"gpu.example"};
  EXPECT_EQ(status(options, {{"Host", "GPU.example:8012"}}), 200);
}

TEST(AccessTest, OnlyOurOwnPageAndAllowedOnesMayCall) {
  Options options;
  options.allowed_origins = {"https://notes.example"};
  const auto with_origin = [&](const char* origin) {
    return status(options, {{"Host", "127.0.0.1:8012"}, {"Origin", origin}});
  };
  EXPECT_EQ(with_origin("http://127.0.0.1:8012"), 200);
  EXPECT_EQ(with_origin("https://notes.example"), 200);
  EXPECT_EQ(with_origin("http://127.0.0.1:9999"), 403);
  EXPECT_EQ(with_origin("http://localhost:8012"), 403);
  EXPECT_EQ(with_origin("https://evil.example"), 403);
  EXPECT_EQ(with_origin("null"), 403);
  EXPECT_EQ(with_origin(""), 403);
}

TEST(AccessTest, ATokenIsWantedWhereThereIsOne) {
  Options options;
  options.token = "s3cret";
  const auto with = [&](const char* name, const char* value) {
    return status(options, {{"Host", "localhost"}, {name, value}});
  };
  EXPECT_EQ(with("Accept", "*/*"), 401);
  EXPECT_EQ(with("Authorization", "Bearer s3cret"), 200);
  EXPECT_EQ(with("authorization", "bearer s3cret"), 200);
  EXPECT_EQ(with("x-api-key", "s3cret"), 200);
  EXPECT_EQ(with("Authorization", "Bearer s3cre"), 401);
  EXPECT_EQ(with("Authorization", "Bearer s3crets"), 401);
  EXPECT_EQ(with("Authorization", "Bearer s3creT"), 401);
  EXPECT_EQ(with("Authorization", "Bearer "), 401);
  EXPECT_EQ(with("Authorization", "Bear"), 401);
  EXPECT_EQ(with("Authorization", "Basic s3cret"), 401);
  EXPECT_EQ(with("x-api-key", ""), 401);
}

TEST(AccessTest, OpenPathsNeedNoToken) {
  Options options;
  options.token = "s3cret";
  EXPECT_EQ(status(options, {{"Host", "localhost"}}, true), 200);
}

TEST(AccessTest, WithoutATokenAnEmptyBearerIsFine) {  // as llama.vim sends
  EXPECT_EQ(status({}, {{"Host", "localhost"}, {"Authorization", "Bearer "}}), 200);
}

TEST(AddressTest, HostAndPortAreTakenApart) {
  const struct {
    const char* address;
    const char* host;
    int port;
  } cases[] = {{"127.0.0.1:8012", "127.0.0.1", 8012},
               {"localhost:80", "localhost", 80},
               {"[::1]:8012", "::1", 8012},
               {"0.0.0.0:0", "0.0.0.0", 0},
               {"8012", "127.0.0.1", 8012}};
  for (const auto& it : cases) {
    const auto options = parse_address(it.address);
    ASSERT_TRUE(options) << it.address;
    EXPECT_EQ(options->host, it.host);
    EXPECT_EQ(options->port, it.port);
  }
}

TEST(AddressTest, OtherTextIsRefusedWithAdvice) {
  for (const char* address : {"", ":", ":80", "host:", "::1:80", "host:port", "host:65536",
                              "host:-1", "host:80x", "[]:80"}) {
    const auto options = parse_address(address);
    ASSERT_FALSE(options) << address;
    EXPECT_NE(options.error().message.find("HOST:PORT"), std::string::npos);
  }
}

TEST(AddressTest, LoopbackIsOnlyThisMachine) {
  for (const char* host : {"localhost", "127.0.0.1", "127.8.9.1", "::1"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "192.168.0.1", "128.0.0.1", "example.org", ""}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

}  // namespace
}  // namespace lacuna::daemon::http
