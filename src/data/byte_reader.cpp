#include "byte_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "inn/core/error.h"

namespace inn {
namespace {

constexpr unsigned kBuffer = 1U << 18;
// Deflate can't do better than 1032:1 (zlib's technical details).
constexpr int64_t kLargestRatio = 1032;

}  // namespace

ByteReader::ByteReader(const std::filesystem::path& path) : path_(path.string()), file_(nullptr, gzclose) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  require<std::runtime_error>(std::filesystem::exists(status), "data", "File '{}': not found.", path_);
  require<std::runtime_error>(std::filesystem::is_regular_file(status), "data",
                              "'{}': is not a regular file.", path_);
  file_size_ = static_cast<int64_t>(std::filesystem::file_size(path));
  errno = 0;
  file_.reset(gzopen(path.c_str(), "rb"));
  require<std::runtime_error>(file_ != nullptr, "data", "File '{}': cannot be read: {}.", path_,
                              std::strerror(errno));
  gzbuffer(file_.get(), kBuffer);
}

int64_t ByteReader::read_some(void* to, int64_t count) {
  constexpr int64_t kLargestPart = 1 << 30;  // gzread counts in int
  auto* bytes = static_cast<char*>(to);
  int64_t done = 0;
  while (done < count) {
    const int part =
        gzread(file_.get(), bytes + done, static_cast<unsigned>(std::min(count - done, kLargestPart)));
    int code = Z_OK;
    const char* reason = gzerror(file_.get(), &code);
    require<std::runtime_error>(part >= 0 && (code == Z_OK || code == Z_STREAM_END), "data",
                                "File '{}': is corrupt or truncated: {}.", path_,
                                code == Z_ERRNO ? std::strerror(errno) : reason);
    if (part == 0) break;
    done += part;
  }
  position_ += done;
  return done;
}

void ByteReader::read(void* to, int64_t count) {
  const int64_t start = position_;
  const int64_t done = read_some(to, count);
  require<std::runtime_error>(done == count, "data",
                              "File '{}': is truncated: expected {} bytes at {} but got {}.", path_, count,
                              start, done);
}

void ByteReader::require_room(int64_t count) const {
  const bool plain = gzdirect(file_.get()) == 1;
  const int64_t most = plain ? file_size_ - position_ : file_size_ * kLargestRatio;
  require<std::runtime_error>(count <= most, "data",
                              "File '{}': is truncated: its header requires {} more bytes than its {}.",
                              path_, count, file_size_);
}

void ByteReader::require_end() {
  char one = 0;
  require<std::runtime_error>(read_some(&one, 1) == 0, "data", "File '{}': is too long: more than {} bytes.",
                              path_, position_ - 1);
}

}  // namespace inn
