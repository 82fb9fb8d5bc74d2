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

  /// Reads exactly `count` bytes. Throws where there are fewer, or where the compressed data is damaged.
  void read(void* to, int64_t count);
  /// Reads at most `count` bytes and returns how many there were.
  int64_t read_some(void* to, int64_t count);
  /// Throws unless `count` more bytes can be in the file, so that a false header allocates nothing.
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
