// One HTTP request and its answer, as the handlers see them: no sockets.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lacuna::daemon::http {

using Header = std::pair<std::string, std::string>;

struct Request {
  std::string method;  // upper case
  std::string path;    // without the query
  std::vector<Header> headers;
  std::string body;

  // The value of a header, upper or lower case; the first one where it is repeated. Null when it is
  // not there.
  const std::string* header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json; charset=utf-8";
  std::string body;
  std::vector<Header> headers = {};  // besides those that every answer has
};

// What a handler answers through: either respond() once, or begin_stream(), any number of send()s
// and end_stream(). Everything on the loop thread. After the client has gone all calls are allowed
// and do nothing.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;

  virtual void respond(Response response) = 0;

  virtual void begin_stream(std::string content_type) = 0;
  enum class Loss : std::uint8_t { Refused, Allowed };
  // Queues a part of the stream. A part that may be lost is left out while the client is slow to
  // read; a client that does not read the others is cut off.
  virtual void send(std::string part, Loss loss = Loss::Refused) = 0;
  virtual void end_stream() = 0;

  // Called at most once, when the client goes away before the answer is complete. Not called after
  // respond() or end_stream().
  virtual void on_gone(std::function<void()> callback) = 0;
};

}  // namespace lacuna::daemon::http
