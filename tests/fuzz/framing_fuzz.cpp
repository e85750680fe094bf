// Framing and messages: hostile streams in, bodies or one error out.
#include "lsp/framing.h"
#include "lsp/json_rpc.h"
#include "lsp/protocol.h"

namespace {

void read_everything(const lacuna::lsp::Message& message) {
  using namespace lacuna::lsp;  // NOLINT(google-build-using-namespace): of this function only
  (void)read_initialize(message.params);
  (void)read_did_open(message.params);
  (void)read_did_change(message.params);
  (void)read_inline_completion(message.params);
  (void)read_code_action(message.params);
  (void)read_execute_command(message.params);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lacuna::lsp;  // NOLINT(google-build-using-namespace): of this function only
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The first byte says how the stream is cut.
  const std::size_t piece = bytes.empty() ? 1 : 1 + static_cast<unsigned char>(bytes[0]);
  if (!bytes.empty()) bytes.remove_prefix(1);
  FrameReader reader(1 << 16);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.push(bytes.substr(at, piece));
    for (;;) {
      const auto body = reader.next();
      if (!body || !*body) break;
      BadMessage bad{};
      if (const auto message = parse_message(**body, bad)) read_everything(*message);
    }
  }
  return 0;
}
