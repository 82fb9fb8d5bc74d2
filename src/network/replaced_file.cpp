#include "replaced_file.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "pt2/failure.h"

namespace inn {
namespace {

int last_error() { return errno == 0 ? EIO : errno; }

}  // namespace

ReplacedFile::ReplacedFile(const std::filesystem::path& path)
    : path_(path), temporary_(path.string() + ".tmp-" + std::to_string(getpid())) {
  errno = 0;
  file_.open(temporary_, std::ios::binary | std::ios::trunc);
  if (!file_) error_ = last_error();
  check();
}

ReplacedFile::~ReplacedFile() {
  if (finished_) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void ReplacedFile::write(const void* data, size_t size) noexcept {
  if (error_ != 0) return;
  errno = 0;
  file_.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  if (!file_) error_ = last_error();
}

void ReplacedFile::check() const {
  if (error_ != 0) pt2::fail("it can't be written: {}", std::generic_category().message(error_));
}

void ReplacedFile::finish() {
  errno = 0;
  file_.close();
  if (!file_ && error_ == 0) error_ = last_error();
  check();
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) pt2::fail("it can't be written: {}", error.message());
  finished_ = true;
}

}  // namespace inn
