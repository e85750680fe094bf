// Any bytes as tokenizer.json and as the smaller files beside it.
#include "check_tokenizer.h"
#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/tokenizer/tokenizer_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lacuna::engine;  // NOLINT(google-build-using-namespace)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_added_tokens(text);
  (void)parse_tokenizer_config(text);
  (void)parse_special_tokens_map(text);
  (void)parse_vocab_and_merges(text, text, "");
  const auto spec = parse_tokenizer_json(text);
  if (!spec) return 0;
  const auto tokenizer = make_bpe_tokenizer(*spec);
  if (tokenizer) check_tokenizer(**tokenizer);
  return 0;
}
