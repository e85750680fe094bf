// Files: read-only mappings, whole reads with a limit, and writes that are never half done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

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

// A new file, written piece by piece.
class OutputFile {
 public:
  // InvalidInput if the path exists already or nothing can be created there.
  static Result<OutputFile> create(const std::filesystem::path& path);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Unavailable when the disk is full or gone. Places may come in any order.
  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  // Waits until everything is on the disk.
  Result<void> sync();

 private:
  OutputFile(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::filesystem::path path_;  // for messages
};

}  // namespace lacuna
