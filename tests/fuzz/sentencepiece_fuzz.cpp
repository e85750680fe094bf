// Any bytes as a SentencePiece .model file.
#include "check_tokenizer.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lacuna::engine;  // NOLINT(google-build-using-namespace)
  const auto tokenizer =
      make_sentencepiece_tokenizer(std::string(reinterpret_cast<const char*>(data), size), {});
  if (tokenizer) check_tokenizer(**tokenizer);
  return 0;
}
