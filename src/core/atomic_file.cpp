#include "inn/core/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <streambuf>
#include <string>

#include "inn/core/error.h"

namespace inn {
namespace {

namespace fs = std::filesystem;

/// A buffer over a file descriptor that keeps the reason of the first failure (std::ofstream loses it).
class DescriptorBuffer : public std::streambuf {
 public:
  explicit DescriptorBuffer(int descriptor) : descriptor_(descriptor) {
    setp(bytes_.data(), bytes_.data() + bytes_.size());
  }
  int error() const { return error_; }

 protected:
  int_type overflow(int_type character) override {
    if (sync() != 0) return traits_type::eof();
    if (!traits_type::eq_int_type(character, traits_type::eof())) sputc(traits_type::to_char_type(character));
    return traits_type::not_eof(character);
  }

  std::streamsize xsputn(const char* data, std::streamsize count) override {
    if (count == 0) return 0;
    if (count < epptr() - pptr()) {
      std::memcpy(pptr(), data, static_cast<size_t>(count));
      pbump(static_cast<int>(count));
      return count;
    }
    return sync() == 0 && put(data, count) ? count : 0;
  }

  int sync() override {
    const bool done = put(pbase(), pptr() - pbase());
    setp(bytes_.data(), bytes_.data() + bytes_.size());
    return done ? 0 : -1;
  }

 private:
  bool put(const char* data, std::streamsize count) {
    while (count > 0 && error_ == 0) {
      const auto written = ::write(descriptor_, data, static_cast<size_t>(count));
      if (written < 0 && errno != EINTR) error_ = errno;
      if (written < 0) continue;
      data += written;
      count -= written;
    }
    return error_ == 0;
  }

  int descriptor_;
  int error_ = 0;
  std::array<char, 1 << 16> bytes_;
};

/// A temporary file that is removed unless it was given its final name.
class Temporary {
 public:
  /// Makes a new file beside the target: a name that nobody can have put a file or a link under before.
  explicit Temporary(fs::path target) : target_(std::move(target)) {
    constexpr int kTries = 100;
    std::random_device random;
    for (int i = 0; i < kTries && descriptor_ < 0; ++i) {
      path_ = target_;
      path_ += fmt::format(".tmp-{:08x}{:08x}", random(), random());
      descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
      if (descriptor_ < 0 && errno != EEXIST) fail(errno);
    }
    if (descriptor_ < 0) fail(EEXIST);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!path_.empty()) unlink(path_.c_str());
  }

  int descriptor() const { return descriptor_; }

  [[noreturn]] void fail(int error) const {
    raise<std::runtime_error>("core", "File '{}': cannot be written: {}.", target_.string(),
                              std::strerror(error));
  }

  void commit() {
    struct stat old {};
    if (stat(target_.c_str(), &old) == 0 && fchmod(descriptor_, old.st_mode & 07777) != 0) fail(errno);
    if (fsync(descriptor_) != 0 && errno != EINVAL) fail(errno);
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) fail(errno);
    if (rename(path_.c_str(), target_.c_str()) != 0) fail(errno);
    path_.clear();
    // The name itself outlives a power cut only when the folder is flushed too; not every file system can.
    const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
    const int folder_descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_descriptor < 0) return;
    fsync(folder_descriptor);
    ::close(folder_descriptor);
  }

 private:
  fs::path path_, target_;
  int descriptor_ = -1;
};

/// Returns the path of the file itself behind a symbolic link. Throws where the path is something else than a
/// file.
fs::path file_behind(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  require<std::runtime_error>(!fs::exists(status) || fs::is_regular_file(status), "core",
                              "File '{}': cannot be written: it is {}.", path.string(),
                              fs::is_directory(status) ? "a folder" : "not a regular file");
  if (!fs::is_symlink(path, error)) return path;
  const fs::path behind = fs::canonical(path, error);
  return error ? path : behind;
}

}  // namespace

void write_atomically(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  require<std::runtime_error>(!path.empty() && path.has_filename(), "core", "'{}': is not a file name.",
                              path.string());
  const fs::path target = file_behind(path);
  Temporary temporary(target);
  DescriptorBuffer buffer(temporary.descriptor());
  std::ostream stream(&buffer);
  try {
    write(stream);
    stream.flush();
  } catch (...) {
    if (buffer.error() != 0) temporary.fail(buffer.error());  // the cause of what was thrown
    throw;
  }
  if (buffer.error() != 0) temporary.fail(buffer.error());
  require<std::runtime_error>(stream.good(), "core", "File '{}': cannot be written: its writer failed.",
                              path.string());
  temporary.commit();
}

void write_atomically(const fs::path& path, std::string_view content) {
  write_atomically(path, [content](std::ostream& stream) {
    stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  });
}

}  // namespace inn
