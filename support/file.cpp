#include "support/file.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lacuna {
namespace {

// strerror is not thread-safe; this is.
std::string why(int error) { return std::generic_category().message(error); }

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

struct RegularFile {
  int fd;  // owned by the caller
  std::uint64_t size;
};

// O_NONBLOCK: opening a named pipe must not wait for a writer; it is refused right after.
Result<RegularFile> open_regular(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    return fail(ErrorCode::NotFound, "cannot open " + path.string() + ": " + why(errno));
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) {
    return fail(ErrorCode::NotFound, "cannot read " + path.string() + ": " + why(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::InvalidInput, path.string() + " is not a regular file");
  }
  return RegularFile{fd.release(), static_cast<std::uint64_t>(status.st_size)};
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  Result<RegularFile> file = open_regular(path);
  if (!file) return file.error();
  const Fd fd(file->fd);
  if (file->size == 0) return MappedFile(nullptr, 0);
  void* data = ::mmap(nullptr, file->size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) {
    return fail(ErrorCode::Unavailable, "cannot map " + path.string() + ": " + why(errno));
  }
  return MappedFile(static_cast<const std::byte*>(data), file->size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  // munmap takes a non-const pointer although it only reads the address.
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  Result<RegularFile> file = open_regular(path);
  if (!file) return file.error();
  const Fd fd(file->fd);
  if (file->size > max_bytes) {
    return fail(ErrorCode::InvalidInput, path.string() + " has " + std::to_string(file->size) +
                                             " bytes; the limit is " + std::to_string(max_bytes));
  }
  // A file of /proc says size 0 and a growing log has more than it said: read to the end, but
  // one byte past the limit at most.
  std::string content;
  std::vector<char> chunk(1 << 16);
  while (content.size() <= max_bytes) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(ErrorCode::NotFound, "cannot read " + path.string() + ": " + why(errno));
    }
    if (got == 0) return content;
    content.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return fail(ErrorCode::InvalidInput,
              path.string() + " has more than " + std::to_string(max_bytes) + " bytes");
}

Result<void> write_file(const std::filesystem::path& path, std::string_view content) {
  std::error_code ignored;
  std::filesystem::path target = std::filesystem::canonical(path, ignored);
  if (ignored) target = path;  // a new file
  struct stat old{};
  const bool exists = ::stat(target.c_str(), &old) == 0;
  // rename() needs no permission on the file itself; do not replace what may not be written.
  if (exists && ::access(target.c_str(), W_OK) != 0) {
    return fail(ErrorCode::InvalidInput, "cannot write " + path.string() + ": " + why(errno));
  }

  std::string temporary = target.string() + ".XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.get() < 0) {
    return fail(ErrorCode::InvalidInput,
                "cannot write beside " + path.string() + ": " + why(errno));
  }
  const mode_t mode = exists ? old.st_mode & 07777 : 0644;
  if (!write_all(fd.get(), content) || ::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0 ||
      ::rename(temporary.c_str(), target.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return fail(ErrorCode::Unavailable, "cannot write " + path.string() + ": " + why(error));
  }
  return {};
}

Result<OutputFile> OutputFile::create(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd >= 0) return OutputFile(fd, path);
  return fail(ErrorCode::InvalidInput, "cannot create " + path.string() + ": " + why(errno));
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return fail(ErrorCode::Unavailable, "cannot write " + path_.string() + ": " + why(errno));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<void> OutputFile::sync() {
  if (::fsync(fd_) == 0) return {};
  return fail(ErrorCode::Unavailable, "cannot write " + path_.string() + ": " + why(errno));
}

}  // namespace lacuna
