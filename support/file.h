// Files: read-only mappings, whole reads with a limit, and writes that are never half done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "support/result.h"

namespace lacuna {

// A read-only mapping of a whole file. The file must not shrink while it is mapped: a reader
// that touches a page past the new end dies by SIGBUS, as with every memory-mapped file.
class MappedFile {
 public:
  // NotFound if the file cannot be opened, InvalidInput if it is not a regular file. An empty
  // file maps to an empty span.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// The content of a regular file. NotFound when it cannot be opened or read, InvalidInput when
// it is not a regular file or is larger than max_bytes (nothing is read then).
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

// Replaces the file by `content`: written to a new file in the same folder, synced, given the
// old file's permissions, renamed over it. A symbolic link is followed, not replaced. On failure
// the old content stands and no other file is left behind.
Result<void> write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace lacuna
