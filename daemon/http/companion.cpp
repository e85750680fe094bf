#include "daemon/http/companion.h"

#include "daemon/http/server.h"
#include "engine/profile.h"

namespace lacuna::daemon::http {
namespace {

class HttpCompanion : public Companion {
 public:
  explicit HttpCompanion(std::unique_ptr<Server> server) : server_(std::move(server)) {}
  // Its clients open a connection for each request: between two of them they use it as well.
  bool is_in_use() const override { return true; }

 private:
  const std::unique_ptr<Server> server_;
};

}  // namespace

Result<std::unique_ptr<Companion>> start_http(boost::asio::io_context& loop, FillService& fills,
                                              const Settings& settings,
                                              std::function<void(const std::string&)> log) {
  Result<Options> options = parse_address(settings.http_address);
  if (!options) return options.error();
  options->token = settings.http_token;
  if (const auto profile = engine::profile_named(settings.profile); profile) {
    engine::apply(*profile, options->infill);
  }
  options->infill.max_hole_tokens = settings.max_tokens;
  options->syntax = settings.syntax;
  auto server = Server::listen(loop, fills, std::move(*options), log);
  if (!server) return server.error();
  log("HTTP at " + (*server)->url());
  return std::unique_ptr<Companion>(std::make_unique<HttpCompanion>(std::move(*server)));
}

}  // namespace lacuna::daemon::http
