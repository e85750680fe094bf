#include "cli/standard_io.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace lacuna::cli {
namespace {

constexpr std::size_t kChunk = 1 << 16;

std::string why(int error) { return std::generic_category().message(error); }

// Appends what is there to read. False at the end of input.
Result<bool> read_more(std::string& buffer) {
  std::array<char, kChunk> chunk;
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(ErrorCode::NotFound, "cannot read standard input: " + why(errno));
    }
    buffer.append(chunk.data(), static_cast<std::size_t>(got));
    return got > 0;
  }
}

}  // namespace

void prepare_standard_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // Takes the lowest free number, which is `fd`. Read-only, so that writing there still fails.
    if (::open("/dev/null", O_RDONLY) < 0) return;
  }
}

Result<void> write_output(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) {
      return fail(ErrorCode::Unavailable, "standard output was closed before all was written");
    }
    if (written < 0) {
      return fail(ErrorCode::Unavailable, "cannot write standard output: " + why(errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::string> read_input(std::uint64_t max_bytes) {
  std::string content;
  while (content.size() <= max_bytes) {
    const Result<bool> more = read_more(content);
    if (!more) return more.error();
    if (!*more) return content;
  }
  return fail(ErrorCode::InvalidInput,
              "standard input has more than " + std::to_string(max_bytes) + " bytes, the limit");
}

Result<bool> InputLines::next(std::string& line, std::uint64_t max_bytes) {
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(buffer_, 0, end);
      buffer_.erase(0, end + 1);
      return true;
    }
    searched = buffer_.size();
    if (at_end_) break;
    if (buffer_.size() > max_bytes) {
      return fail(ErrorCode::InvalidInput, "a line of standard input has more than " +
                                               std::to_string(max_bytes) + " bytes, the limit");
    }
    const Result<bool> more = read_more(buffer_);
    if (!more) return more.error();
    at_end_ = !*more;
  }
  line = std::move(buffer_);
  buffer_.clear();
  return !line.empty();
}

}  // namespace lacuna::cli
