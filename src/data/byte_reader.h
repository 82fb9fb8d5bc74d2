#pragma once
// Reading of a file, gzip-compressed or not.

#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace inn {

/// Reads a file from its start. Errors are std::runtime_error with the path.
class ByteReader {
 public:
  explicit ByteReader(const std::filesystem::path& path);

  /// Reads exactly `count` bytes. Throws if there are fewer, or if the compressed data is corrupt.
  void read(void* to, int64_t count);
  /// Reads at most `count` bytes and returns how many there were.
  int64_t read_some(void* to, int64_t count);
  /// Throws unless the file can have `count` more bytes, so that a wrong header does not cause allocations.
  void require_room(int64_t count) const;
  /// Throws unless everything was read.
  void require_end();

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int64_t file_size_ = 0;
  int64_t position_ = 0;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

}  // namespace inn
