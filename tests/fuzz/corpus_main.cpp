// Runs a fuzz target once on every file of the folders given. Stands in for libFuzzer's main.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "support/file.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  int n_files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      constexpr std::uint64_t kMaxBytes = 16 << 20;
      const auto content = lacuna::read_file(entry.path(), kMaxBytes);
      if (!content) {
        std::fprintf(stderr, "%s\n", content.error().message.c_str());
        return 1;
      }
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(content->data()),
                             content->size());
      ++n_files;
    }
  }
  std::printf("%d inputs\n", n_files);
  return n_files == 0 ? 1 : 0;
}
